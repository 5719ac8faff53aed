//! The binary format of `COPY` (`PostgreSQL`, "COPY, File Formats"), as far as events need it: rows of a fixed number of
//! fields, none of them null.

use uuid::Uuid;

/// The signature, no flags, no extension of the header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a row's number of fields.
const TRAILER: i16 = -1;

/// Rows that are to be sent.
#[derive(Debug)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    fields: i16,
}

impl Rows {
    /// No rows yet, of so many fields each.
    pub(super) fn of(fields: i16) -> Self {
        Self { bytes: HEADER.to_vec(), fields }
    }

    /// Begins a row; its fields are to follow.
    pub(super) fn begin(&mut self) {
        self.bytes.extend(self.fields.to_be_bytes());
    }

    /// Ends the rows.
    pub(super) fn end(&mut self) {
        self.bytes.extend(TRAILER.to_be_bytes());
    }

    pub(super) fn int4(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    pub(super) fn int8(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    pub(super) fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    /// `text`, and `json` too, whose binary form is its text.
    pub(super) fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    fn field(&mut self, value: &[u8]) {
        // The server refuses half of this already, and nothing after it is read.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(value);
    }

    /// What has been written and not been sent.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes
    }

    /// Notes that it has been sent.
    pub(super) fn sent(&mut self) {
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_the_manual_has_them() {
        let mut rows = Rows::of(4);
        rows.begin();
        rows.int4(-2);
        rows.int8(258);
        rows.uuid(Uuid::from_u128(1));
        rows.text("é");
        rows.end();
        let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        let row = b"\0\x04\0\0\0\x04\xff\xff\xff\xfe\0\0\0\x08\0\0\0\0\0\0\x01\x02\
                    \0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02\xc3\xa9";
        assert_eq!(rows.unsent(), [&header[..], &row[..], &b"\xff\xff"[..]].concat());
        rows.sent();
        assert_eq!(rows.unsent(), b"");
    }
}
