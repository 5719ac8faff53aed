//! Parsed documents: each query text is parsed, weighed and limited once, and kept. async-graphql walks every
//! fragment where it is spread, so a small text can cost it for ever; it is weighed here first.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    ExecutableDocument, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError};
use quick_cache::sync::Cache;

/// The longest query text.
const MAX_TEXT: usize = 32 * 1024;
/// How many parsed documents are kept.
const KEPT: usize = 1_000;
/// The longest text that is kept.
const MAX_KEPT_TEXT: usize = 8 * 1024;
/// How deep fields may be nested; introspection is not counted, since it is deep by nature.
const MAX_DEPTH: usize = 12;
/// How many fields an operation may select once its fragments are spread.
const MAX_FIELDS: usize = 1_000;
/// How many fields may be renamed.
const MAX_ALIASES: usize = 50;
/// How many fields may stand at the root.
const MAX_ROOT_FIELDS: usize = 10;

/// A parsed document within the limits.
#[derive(Debug)]
pub(crate) struct Document {
    /// What async-graphql executes.
    pub(crate) parsed: ExecutableDocument,
    operations: Vec<Operation>,
}

/// What is known of one operation before it is executed.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    name: Option<String>,
    /// Query, mutation or subscription.
    pub(crate) kind: OperationType,
    /// The first field at its root, for metrics: a name of the schema, or `unknown`.
    pub(crate) field: Arc<str>,
    /// How many fields stand at its root.
    pub(crate) root_fields: usize,
}

impl Document {
    /// The operation that a request with this operation name asks for.
    pub(crate) fn operation(&self, name: Option<&str>) -> Option<&Operation> {
        match name {
            Some(name) => self.operations.iter().find(|operation| operation.name.as_deref() == Some(name)),
            None => self.operations.first().filter(|_| self.operations.len() == 1),
        }
    }
}

/// Parses documents and keeps them. Cloning shares what is kept.
#[derive(Clone)]
pub(crate) struct Documents {
    kept: Arc<Cache<String, Arc<Document>>>,
    fields: Arc<HashMap<String, Arc<str>>>,
}

impl Documents {
    /// Documents for a schema with these names.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let fields = names.into_iter().map(|name| (name.clone(), Arc::from(name))).collect();
        Self { kept: Arc::new(Cache::new(KEPT)), fields: Arc::new(fields) }
    }

    /// The document with this text.
    ///
    /// # Errors
    /// When the text is not a document, or one beyond the limits.
    pub(crate) fn get(&self, text: &str) -> Result<Arc<Document>, ServerError> {
        if let Some(document) = self.kept.get(text) {
            return Ok(document);
        }
        if text.len() > MAX_TEXT {
            return Err(ServerError::new(format!("a query has at most {MAX_TEXT} bytes"), None));
        }
        let parsed = parse_query(text)?;
        let operations = self.weigh(&parsed)?;
        let document = Arc::new(Document { parsed, operations });
        if text.len() <= MAX_KEPT_TEXT {
            self.kept.insert(text.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }

    fn weigh(&self, parsed: &ExecutableDocument) -> Result<Vec<Operation>, ServerError> {
        let mut scales = Scales { fragments: &parsed.fragments, weighed: HashMap::new() };
        let mut operations = Vec::new();
        for (name, operation) in parsed.operations.iter() {
            let weight = scales.selection(&operation.node.selection_set.node)?;
            weight.check().map_err(|limit| ServerError::new(limit, Some(operation.pos)))?;
            operations.push(Operation {
                name: name.map(ToString::to_string),
                kind: operation.node.ty,
                field: self.label(&operation.node, &parsed.fragments),
                root_fields: weight.roots,
            });
        }
        Ok(operations)
    }

    /// The label of an operation: only names of the schema, so that nobody can make new ones.
    fn label(&self, operation: &OperationDefinition, fragments: &Fragments) -> Arc<str> {
        first_field(&operation.selection_set.node, fragments)
            .and_then(|name| self.fields.get(name))
            .map_or_else(|| Arc::from("unknown"), Arc::clone)
    }
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

fn first_field<'a>(set: &'a SelectionSet, fragments: &'a Fragments) -> Option<&'a str> {
    match &set.items.first()?.node {
        Selection::Field(field) => Some(field.node.name.node.as_str()),
        Selection::FragmentSpread(spread) => {
            let fragment = fragments.get(&spread.node.fragment_name.node)?;
            first_field(&fragment.node.selection_set.node, fragments)
        }
        Selection::InlineFragment(inline) => first_field(&inline.node.selection_set.node, fragments),
    }
}

/// What a selection comes to once its fragments are spread.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    roots: usize,
    fields: usize,
    aliases: usize,
    depth: usize,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.roots = self.roots.saturating_add(other.roots);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.depth = self.depth.max(other.depth);
    }

    fn check(self) -> Result<(), String> {
        for (what, count, max) in [
            ("fields at the root", self.roots, MAX_ROOT_FIELDS),
            ("fields", self.fields, MAX_FIELDS),
            ("aliases", self.aliases, MAX_ALIASES),
            ("levels", self.depth, MAX_DEPTH),
        ] {
            if count > max {
                return Err(format!("an operation has at most {max} {what}"));
            }
        }
        Ok(())
    }
}

/// Weighs selections, each fragment once however often it is spread.
struct Scales<'a> {
    fragments: &'a Fragments,
    /// Nothing while a fragment is being weighed: meeting it again then means that it spreads itself.
    weighed: HashMap<&'a str, Option<Weight>>,
}

impl<'a> Scales<'a> {
    fn selection(&mut self, set: &'a SelectionSet) -> Result<Weight, ServerError> {
        let mut total = Weight::default();
        for item in &set.items {
            let weight = match &item.node {
                Selection::Field(field) => {
                    let inner = self.selection(&field.node.selection_set.node)?;
                    let introspection = field.node.name.node.starts_with("__");
                    Weight {
                        roots: 1,
                        fields: inner.fields.saturating_add(1),
                        aliases: inner.aliases.saturating_add(usize::from(field.node.alias.is_some())),
                        depth: if introspection { 1 } else { inner.depth + 1 },
                    }
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, item.pos)?
                }
                Selection::InlineFragment(inline) => self.selection(&inline.node.selection_set.node)?,
            };
            total.add(weight);
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &'a Name, pos: async_graphql::Pos) -> Result<Weight, ServerError> {
        match self.weighed.get(name.as_str()) {
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => {
                return Err(ServerError::new(format!("fragment \"{name}\" spreads itself"), Some(pos)));
            }
            None => {}
        }
        // One that does not exist is the validation's to refuse.
        let Some(fragment) = self.fragments.get(name) else { return Ok(Weight::default()) };
        self.weighed.insert(name, None);
        let weight = self.selection(&fragment.node.selection_set.node)?;
        self.weighed.insert(name, Some(weight));
        Ok(weight)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn documents() -> Documents {
        Documents::new(["products".to_owned(), "cart".to_owned()])
    }

    fn refusal(text: &str) -> String {
        documents().get(text).expect_err("a refusal").message
    }

    #[test]
    fn an_operation_is_labelled_by_its_first_field_when_the_schema_has_it() {
        let text = "query A { ...F } fragment F on Query { products { id } } query B { nonsense }";
        let document = documents().get(text).expect("a document");
        let label = |name| document.operation(Some(name)).map(|operation| operation.field.to_string());
        assert_eq!(label("A").as_deref(), Some("products"));
        assert_eq!(label("B").as_deref(), Some("unknown"));
        assert!(document.operation(None).is_none());
        assert!(document.operation(Some("C")).is_none());
    }

    #[test]
    fn the_same_text_is_parsed_once() {
        let documents = documents();
        let first = documents.get("{ cart { id } }").expect("a document");
        assert!(Arc::ptr_eq(&first, &documents.get("{ cart { id } }").expect("a document")));
    }

    #[test]
    fn many_aliases_are_refused() {
        let fields = (0..60).fold(String::new(), |mut text, i| {
            write!(text, "a{i}: title ").expect("a string grows");
            text
        });
        assert!(refusal(&format!("{{ products {{ {fields} }} }}")).contains("aliases"));
    }

    #[test]
    fn many_fields_at_the_root_are_refused_however_they_come_there() {
        assert!(refusal("{ ...F ...F ...F } fragment F on Query { a b c d }").contains("root"));
    }

    #[test]
    fn deep_fields_are_refused() {
        let text = format!("{{ a {} b {} }}", "{ a ".repeat(20), "} ".repeat(20));
        assert!(refusal(&text).contains("levels"));
    }

    #[test]
    fn fragments_that_double_are_refused_at_once() {
        let text = (0..60).fold("{ ...F0 }".to_owned(), |mut text, i| {
            write!(text, " fragment F{i} on Query {{ a{{...F{n} ...F{n}}} }}", n = i + 1)
                .expect("a string grows");
            text
        });
        assert!(refusal(&format!("{text} fragment F60 on Query {{ a }}")).contains("fields"));
    }

    #[test]
    fn a_fragment_that_spreads_itself_is_refused() {
        assert!(refusal("{ ...F } fragment F on Query { a { ...F } }").contains("spreads itself"));
    }

    #[test]
    fn a_long_text_is_refused_before_it_is_parsed() {
        assert!(refusal(&"#".repeat(MAX_TEXT + 1)).contains("bytes"));
    }
}
