//! Relay connections (<https://relay.dev/graphql/connections.htm>) over pages of the read models.

use async_graphql::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_projections::read::{Cursor, Page, PageRequest};

use crate::graphql::error::ApiError;

/// How many items a page has when the client does not say.
const DEFAULT: u32 = 20;
/// The most it may have.
const MAX: u32 = 100;
/// The longest cursor that is looked into.
const MAX_CURSOR: usize = 2_048;

/// A page as the client asks for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paging {
    /// How many.
    pub(crate) first: Option<i32>,
    /// After which.
    pub(crate) after: Option<String>,
}

impl Paging {
    /// How many items it has at most.
    pub(crate) fn size(&self) -> Result<u32, ApiError> {
        let size = self.first.map_or(Ok(DEFAULT), u32::try_from).ok().filter(|size| *size <= MAX);
        size.ok_or_else(|| ApiError::bad_input("PAGE_SIZE_INVALID", format!("first is from 0 to {MAX}")))
    }

    /// The page as a read model has it; the total is counted only when it is asked for.
    pub(crate) fn request(&self, ctx: &Context<'_>) -> Result<PageRequest, ApiError> {
        Ok(PageRequest {
            first: self.size()?,
            after: self.after.as_deref().map(decode).transpose()?,
            with_total: ctx.look_ahead().field("totalCount").exists(),
        })
    }
}

impl Paging {
    /// How many items it has at most, and the number after which they come, for the list of this name, which is walked
    /// by numbers.
    pub(crate) fn by_number(&self, list: &str) -> Result<(u32, i64), ApiError> {
        let Some(after) = &self.after else { return Ok((self.size()?, 0)) };
        let cursor = Some(decode(after)?).filter(|cursor| cursor.sort == list);
        let number = cursor.and_then(|cursor| cursor.key.parse().ok()).filter(|number| *number >= 0);
        Ok((self.size()?, number.ok_or_else(invalid_cursor)?))
    }
}

/// What is given as `after` does not go with the list.
pub(crate) fn invalid_cursor() -> ApiError {
    ApiError::bad_input("INVALID_CURSOR", "after is not a cursor of this list in this order")
}

/// The most that anything counts for: more than any query may ask for.
const MOST: usize = 1 << 20;
/// A list's fields say in the upper half of their complexity what each item costs, and in the lower one what is done once.
const EACH: u32 = usize::BITS / 2;

/// The complexity of the items of a list, when each of them costs this much.
pub(crate) fn each(item: usize) -> usize {
    item.saturating_add(1).min(MOST) << EACH
}

/// What a list of so many items costs, when its fields have this complexity.
pub(crate) fn cost(first: Option<i32>, fields: usize) -> usize {
    let size = first.map_or(DEFAULT, |first| u32::try_from(first).unwrap_or(0)).min(MAX);
    let (item, once) = (fields >> EACH, fields & (usize::MAX >> EACH));
    let items = usize::try_from(size).unwrap_or(usize::MAX).saturating_mul(item);
    items.saturating_add(once).saturating_add(1).min(MOST)
}

/// A cursor as the client has it.
fn encode(cursor: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}\n{}\n{}", cursor.sort, cursor.key, cursor.value))
}

fn decode(text: &str) -> Result<Cursor, ApiError> {
    let within = Some(text).filter(|text| text.len() <= MAX_CURSOR).ok_or_else(invalid_cursor)?;
    let bytes = URL_SAFE_NO_PAD.decode(within).map_err(|_| invalid_cursor())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid_cursor())?;
    let mut parts = text.splitn(3, '\n').map(str::to_owned);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(sort), Some(key), Some(value)) if !text.contains('\0') => Ok(Cursor { sort, value, key }),
        _ => Err(invalid_cursor()),
    }
}

/// The cursor of an item of the list of this name, which is walked by numbers.
fn numbered(list: &str, number: i64) -> String {
    encode(&Cursor { sort: list.to_owned(), value: String::new(), key: number.to_string() })
}

/// A part of a list, each item with its cursor.
#[derive(Debug, Clone)]
pub(crate) struct Slice<T> {
    pub(crate) items: Vec<(String, T)>,
    pub(crate) has_next: bool,
    pub(crate) has_previous: bool,
    pub(crate) total: u64,
}

impl<T> Slice<T> {
    /// A page of a read model.
    pub(crate) fn of<R>(page: Page<R>, request: &PageRequest, item: impl Fn(R) -> T) -> Self {
        Self {
            items: page.rows.into_iter().map(|(cursor, row)| (encode(&cursor), item(row))).collect(),
            has_next: page.has_next,
            has_previous: request.after.is_some(),
            total: page.total.unwrap_or_default(),
        }
    }

    /// A page of the list of this name: the items after number `offset`, of which those that are there and kept are
    /// shown.
    pub(crate) fn at_offset(
        list: &str,
        page: Vec<Option<T>>,
        offset: u32,
        total: u64,
        kept: impl Fn(&T) -> bool,
    ) -> Self {
        let end = u64::from(offset) + u64::try_from(page.len()).unwrap_or(u64::MAX);
        let items = (i64::from(offset) + 1..).zip(page);
        let shown = items.filter_map(|(number, item)| Some((number, item.filter(&kept)?)));
        Self {
            items: shown.map(|(number, item)| (numbered(list, number), item)).collect(),
            has_next: end < total,
            has_previous: offset > 0,
            total,
        }
    }

    /// A page of the list of this name: at most `first` of these items, which come with their numbers and may be more.
    pub(crate) fn by_number(
        list: &str,
        items: impl IntoIterator<Item = (i64, T)>,
        (first, after): (u32, i64),
        total: u64,
    ) -> Self {
        let mut items: Vec<_> =
            items.into_iter().map(|(number, item)| (numbered(list, number), item)).collect();
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let has_next = items.len() > first;
        items.truncate(first);
        Self { items, has_next, has_previous: after > 0, total }
    }
}

/// Defines a connection and its edge over items of one type, with the fields that every connection has, and those
/// that only this one has.
macro_rules! connection {
    ($(#[$doc:meta])+ $connection:ident { $($field:ident: $type:ty,)* }, $edge:ident of $node:ty; $($own:tt)*) => {
        $(#[$doc])+
        #[derive(Debug)]
        pub(crate) struct $connection {
            pub(crate) slice: crate::graphql::reads::Slice<$node>,
            $(pub(crate) $field: $type,)*
        }

        /// An item of a list, with its cursor.
        #[derive(Debug, async_graphql::SimpleObject)]
        pub(crate) struct $edge {
            /// The item's place in the list: give it as `after` to go on from here.
            cursor: String,
            /// The item.
            node: $node,
        }

        #[async_graphql::Object]
        impl $connection {
            /// The items, each with its cursor.
            #[graphql(complexity = "crate::graphql::reads::each(child_complexity)")]
            async fn edges(&self) -> Vec<$edge> {
                let edge = |(cursor, node): &(String, $node)| $edge { cursor: cursor.clone(), node: node.clone() };
                self.slice.items.iter().map(edge).collect()
            }

            /// The items.
            #[graphql(complexity = "crate::graphql::reads::each(child_complexity)")]
            async fn nodes(&self) -> Vec<$node> {
                self.slice.items.iter().map(|(_, node)| node.clone()).collect()
            }

            /// Where this page is in the list.
            async fn page_info(&self) -> async_graphql::connection::PageInfo {
                async_graphql::connection::PageInfo {
                    has_previous_page: self.slice.has_previous,
                    has_next_page: self.slice.has_next,
                    start_cursor: self.slice.items.first().map(|(cursor, _)| cursor.clone()),
                    end_cursor: self.slice.items.last().map(|(cursor, _)| cursor.clone()),
                }
            }

            /// How many items the whole list has.
            async fn total_count(&self) -> u64 {
                self.slice.total
            }

            $($own)*
        }
    };
}

pub(crate) use connection;

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(first: Option<i32>, after: Option<&str>) -> Paging {
        Paging { first, after: after.map(str::to_owned) }
    }

    #[test]
    fn a_page_has_at_most_a_hundred_items() {
        assert_eq!(paging(None, None).size().ok(), Some(20));
        assert_eq!(paging(Some(100), None).size().ok(), Some(100));
        assert!(paging(Some(101), None).size().is_err());
        assert!(paging(Some(-1), None).size().is_err());
    }

    #[test]
    fn a_list_costs_its_items_as_often_as_there_may_be_and_everything_else_once() {
        let facets_and_total = 100 + 1;
        assert_eq!(cost(Some(100), each(20) + facets_and_total), 100 * 21 + 101 + 1);
        assert_eq!(cost(None, facets_and_total), 102);
        assert_eq!(cost(Some(100), each(cost(Some(100), each(usize::MAX)))), MOST);
    }

    #[test]
    fn a_list_is_walked_by_numbers_and_only_with_its_own_cursors() {
        let page = |after: Option<&str>| {
            let (first, after) = paging(Some(2), after).by_number("steps").ok()?;
            let items = (after + 1..=5).take(3).map(|number| (number, number));
            Some(Slice::by_number("steps", items, (first, after), 5))
        };
        let first = page(None).expect("a page");
        assert_eq!(first.items.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((first.has_next, first.has_previous, first.total), (true, false, 5));
        let second = page(Some(&first.items[1].0)).expect("a page");
        assert_eq!(second.items.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [3, 4]);
        let last = page(Some(&second.items[1].0)).expect("a page");
        assert_eq!(last.items.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [5]);
        assert_eq!((last.has_next, last.has_previous), (false, true));
        let odd = Cursor { sort: "steps".to_owned(), value: String::new(), key: "two".to_owned() };
        for other in [numbered("leaps", 2), numbered("steps", -1), encode(&odd)] {
            assert!(page(Some(&other)).is_none());
        }
    }

    #[test]
    fn a_cursor_reads_back_and_garbage_is_none() {
        let (sort, value) = ("placed".to_owned(), "2026-01-01 00:00:00+00\n".to_owned());
        let cursor = Cursor { sort, value, key: "k".to_owned() };
        assert_eq!(decode(&encode(&cursor)).ok(), Some(cursor));
        for bad in ["", "!", "QQ", &"A".repeat(2_000)] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
