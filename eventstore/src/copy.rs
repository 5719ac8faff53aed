//! The binary format of `COPY` (`PostgreSQL`, "COPY, File Formats"), as far as events need it: rows of a fixed number of
//! fields.

use chrono::DateTime;
use daybook_domain::Timestamp;
use uuid::Uuid;

/// The signature, no flags, no extension of the header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a row's number of fields.
const TRAILER: i16 = -1;

/// In the place of the length of a field that is null.
const NULL: i32 = -1;
/// The server's midnight of 1 January 2000, from which it counts microseconds.
const EPOCH: DateTime<chrono::Utc> =
    DateTime::from_timestamp(946_684_800, 0).expect("a moment that there was");

/// Rows that are to be sent to `COPY … FROM STDIN (FORMAT binary)`.
#[derive(Debug)]
pub struct CopyRows {
    bytes: Vec<u8>,
    fields: i16,
}

impl CopyRows {
    /// What follows the last row.
    pub const TRAILER: [u8; 2] = TRAILER.to_be_bytes();

    /// No rows yet, of so many fields each.
    pub fn of(fields: i16) -> Self {
        Self { bytes: HEADER.to_vec(), fields }
    }

    /// Begins a row; its fields are to follow.
    pub fn begin(&mut self) {
        self.bytes.extend(self.fields.to_be_bytes());
    }

    /// Ends the rows.
    pub fn end(&mut self) {
        self.bytes.extend(TRAILER.to_be_bytes());
    }

    /// `integer`.
    pub fn int4(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    /// `bigint`.
    pub fn int8(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    /// `uuid`.
    pub fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    /// `text`, and `json` too, whose binary form is its text.
    pub fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    /// `jsonb`, whose binary form is its text after the number of that form.
    pub fn jsonb(&mut self, value: &str) {
        let length = i32::try_from(value.len() + 1).unwrap_or(i32::MAX);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.push(1);
        self.bytes.extend(value.as_bytes());
    }

    /// `timestamptz`, to the microsecond.
    pub fn timestamptz(&mut self, value: Timestamp) {
        self.int8((value - EPOCH).num_microseconds().unwrap_or(i64::MAX));
    }

    /// Nothing, of whatever type.
    pub fn null(&mut self) {
        self.bytes.extend(NULL.to_be_bytes());
    }

    fn field(&mut self, value: &[u8]) {
        // The server refuses half of this already, and nothing after it is read.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(value);
    }

    /// What has been written and not been sent.
    pub fn unsent(&self) -> &[u8] {
        &self.bytes
    }

    /// Notes that it has been sent.
    pub fn sent(&mut self) {
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_the_manual_has_them() {
        let mut rows = CopyRows::of(8);
        rows.begin();
        rows.int4(-2);
        rows.int8(258);
        rows.uuid(Uuid::from_u128(1));
        rows.text("é");
        rows.null();
        rows.jsonb("{}");
        rows.timestamptz(DateTime::from_timestamp(946_684_801, 0).expect("a moment"));
        rows.int4(1);
        rows.end();
        let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        let row = b"\0\x08\0\0\0\x04\xff\xff\xff\xfe\0\0\0\x08\0\0\0\0\0\0\x01\x02\
                    \0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02\xc3\xa9\
                    \xff\xff\xff\xff\0\0\0\x03\x01{}\0\0\0\x08\0\0\0\0\0\x0f\x42\x40\0\0\0\x04\0\0\0\x01";
        assert_eq!(rows.unsent(), [&header[..], &row[..], &b"\xff\xff"[..]].concat());
        rows.sent();
        assert_eq!(rows.unsent(), b"");
    }
}
