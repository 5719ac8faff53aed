//! The columns of the datasets. Those of a type of event follow from the event's own schema in the domain: what is nested
//! there is nested here.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use daybook_domain::catalogue;
use serde_json::{Map, Value};

/// What every event has beside its fields.
pub(super) const ENVELOPE: &[(&str, Kind)] = &[
    ("position", Kind::Number),
    ("event_id", Kind::Text),
    ("aggregate_id", Kind::Text),
    ("sequence", Kind::Number),
    ("occurred_at", Kind::Time),
    ("recorded_at", Kind::Time),
    ("actor", Kind::Text),
    ("command_id", Kind::Text),
    ("correlation_id", Kind::Text),
    ("causation_id", Kind::Text),
    ("traceparent", Kind::Text),
];

/// What every event has as it was written.
const RAW: &[(&str, Kind)] = &[
    ("position", Kind::Number),
    ("event_id", Kind::Text),
    ("event_type", Kind::Text),
    ("event_version", Kind::Text),
    ("aggregate_type", Kind::Text),
    ("aggregate_id", Kind::Text),
    ("sequence", Kind::Number),
    ("occurred_at", Kind::Time),
    ("recorded_at", Kind::Time),
    ("payload", Kind::Text),
    ("metadata", Kind::Text),
];

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Number,
    Text,
    Time,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Number => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into())),
        }
    }
}

/// UTC, in the one form that needs no table of time zones.
pub(super) const ZONE: &str = "+00:00";

fn of(columns: &[(&str, Kind)]) -> Vec<Field> {
    columns.iter().map(|(name, kind)| Field::new(*name, kind.data_type(), true)).collect()
}

/// The columns of events as they were written.
pub(super) fn raw() -> SchemaRef {
    Arc::new(Schema::new(of(RAW)))
}

/// The columns of events of a type; nothing when there is no such type.
pub(super) fn of_type(event_type: &str) -> Option<SchemaRef> {
    let fields = catalogue::schema(event_type)?;
    let mut columns = of(ENVELOPE);
    columns.extend(properties(&fields).iter().map(|(name, schema)| field(name, schema)));
    Some(Arc::new(Schema::new(columns)))
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// A column may always be missing: an older event may not have it.
fn field(name: &str, schema: &Value) -> Field {
    Field::new(name, data_type(schema), true)
}

fn data_type(schema: &Value) -> DataType {
    // What may be missing is either of two, of which one is nothing.
    if let Some(some) = schema
        .get("anyOf")
        .and_then(Value::as_array)
        .and_then(|all| all.iter().find(|one| one["type"] != "null"))
    {
        return data_type(some);
    }
    // One of several things, each under its own name: of which one is there.
    let one_of = schema.get("oneOf").and_then(Value::as_array);
    if let Some(all) = one_of.filter(|all| all.iter().all(|one| one["type"] == "object")) {
        return DataType::Struct(
            all.iter().flat_map(properties).map(|(name, schema)| field(&name, &schema)).collect(),
        );
    }
    let of = &schema["type"];
    let is =
        |name: &str| of == name || of.as_array().is_some_and(|types| types.iter().any(|one| one == name));
    if is("integer") {
        DataType::Int64
    } else if is("boolean") {
        DataType::Boolean
    } else if is("array") {
        DataType::List(Arc::new(field("item", &schema["items"])))
    } else if is("object") {
        let properties = properties(schema);
        match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) if properties.is_empty() => map(values),
            _ => DataType::Struct(properties.iter().map(|(name, schema)| field(name, schema)).collect()),
        }
    } else if schema["format"] == "date-time" {
        Kind::Time.data_type()
    } else {
        DataType::Utf8
    }
}

fn map(values: &Value) -> DataType {
    let fields = Fields::from(vec![Field::new("keys", DataType::Utf8, false), field("values", values)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_in_an_event_is_nested_in_its_columns() {
        let placed = of_type("OrderPlaced").expect("a type");
        let quote = placed.field_with_name("quote").expect("a column");
        let DataType::Struct(fields) = quote.data_type() else { panic!("{quote}") };
        let (_, lines) = fields.find("lines").expect("lines");
        let DataType::List(line) = lines.data_type() else { panic!("{lines}") };
        let DataType::Struct(line) = line.data_type() else { panic!("{line}") };
        assert_eq!(line.find("quantity").expect("a quantity").1.data_type(), &DataType::Int64);
        assert!(matches!(line.find("attributes").expect("attributes").1.data_type(), DataType::Map(..)));
        let (_, expires) = fields.find("expires_at").expect("a time");
        assert!(matches!(expires.data_type(), DataType::Timestamp(TimeUnit::Microsecond, Some(_))));
        assert_eq!(placed.field_with_name("customer_id").expect("a column").data_type(), &DataType::Utf8);
        assert_eq!(of_type("OrderVanished"), None);
    }

    #[test]
    fn no_field_of_an_event_has_the_name_of_something_that_every_event_has() {
        for known in catalogue::event_types() {
            let columns = of_type(known.name).expect("a type");
            let mut names: Vec<_> = columns.fields().iter().map(|field| field.name()).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), columns.fields().len(), "{}", known.name);
        }
    }
}
