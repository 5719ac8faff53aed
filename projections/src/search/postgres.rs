//! Search in the read database: full text with every word as a beginning; when that finds nothing, the words are
//! corrected by those that there are.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use daybook_domain::ProductId;
use sqlx::{Postgres, QueryBuilder, Row};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::correct::nearest;
use super::{SearchRequest, SearchResult};
use crate::products::facet::{Facet, FacetCount};
use crate::read::{ReadDb, ReadError};

/// How long the words that there are stay known.
const FRESH: Duration = Duration::from_secs(10);
/// How many words of a query are looked for.
const MOST_WORDS: usize = 16;
/// How many corrections are remembered.
const MOST_CORRECTED: usize = 1_024;

/// The engine.
#[derive(Debug, Clone)]
pub struct PostgresSearch {
    db: ReadDb,
    known: Arc<Mutex<Lately>>,
}

/// The words that there are, and when they were asked for; nothing before.
type Lately = Option<(Instant, Arc<Known>)>;

/// All words of the products for sale.
#[derive(Debug, Default)]
struct Known {
    words: Vec<String>,
    /// What was typed, and what it may have meant: many make the same mistake, and looking through all words takes long.
    corrected: std::sync::Mutex<HashMap<String, Option<String>>>,
}

impl Known {
    /// The word that `typed` may have meant; nothing when words begin with it, or none is near.
    fn better(&self, typed: &str) -> Option<String> {
        let corrected = || self.corrected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(better) = corrected().get(typed) {
            return better.clone();
        }
        let is_known = self.words.iter().any(|known| known.starts_with(typed));
        let better = if is_known { None } else { nearest(typed, self.words.iter().map(String::as_str)) };
        let better = better.map(str::to_owned);
        let mut corrected = corrected();
        if corrected.len() >= MOST_CORRECTED {
            corrected.clear();
        }
        corrected.insert(typed.to_owned(), better.clone());
        better
    }
}

impl PostgresSearch {
    pub(super) fn new(db: ReadDb) -> Self {
        Self { db, known: Arc::default() }
    }

    pub(super) async fn search(&self, request: &SearchRequest) -> Result<SearchResult, ReadError> {
        let typed = words(&request.text);
        let found = self.find(&typed, request).await?;
        if found.total > 0 || typed.is_empty() {
            return Ok(found);
        }
        let Some(corrected) = self.corrected(&typed).await? else { return Ok(found) };
        let found = self.find(&corrected, request).await?;
        Ok(SearchResult { corrected: (found.total > 0).then(|| corrected.join(" ")), ..found })
    }

    pub(super) async fn suggest(&self, typed: &str, limit: u32) -> Result<Vec<String>, ReadError> {
        let typed = words(typed);
        if typed.is_empty() {
            return Ok(Vec::new());
        }
        let titles = self.titles(&typed, limit).await?;
        if !titles.is_empty() {
            return Ok(titles);
        }
        match self.corrected(&typed).await? {
            Some(corrected) => self.titles(&corrected, limit).await,
            None => Ok(titles),
        }
    }

    async fn find(&self, words: &[String], request: &SearchRequest) -> Result<SearchResult, ReadError> {
        let mut query = QueryBuilder::new("WITH found AS MATERIALIZED (SELECT key, title, facets, ");
        if words.is_empty() {
            query.push("0::real AS rank FROM live.search_documents WHERE published");
        } else {
            query.push("ts_rank(vector, typed) AS rank FROM live.search_documents, to_tsquery('simple', ");
            query.push_bind(beginnings(words, "")).push(") AS typed WHERE published AND vector @@ typed");
        }
        for group in &request.facets {
            let words: Vec<String> = group.iter().map(Facet::word).collect();
            query.push(" AND facets && ").push_bind(words).push("::text[]");
        }
        query.push(
            "), counted AS (
                 SELECT facet, count(*) AS count FROM (SELECT unnest(facets) AS facet FROM found) AS each
                 GROUP BY facet ORDER BY left(facet, 1), count(*) DESC, facet
             ) SELECT (SELECT count(*) FROM found) AS total, ARRAY(
                 SELECT key FROM found ORDER BY rank DESC, title, key LIMIT ",
        );
        query.push_bind(i64::from(request.first)).push(" OFFSET ").push_bind(i64::from(request.offset));
        query.push(") AS keys, ").push(if request.with_facets {
            FACETS
        } else {
            "'{}'::text[] AS facets, '{}'::bigint[] AS counts"
        });
        let row = self.db.within(query.build().fetch_one(self.db.pool())).await?;
        let keys: Vec<String> = row.try_get("keys")?;
        let (facets, counts): (Vec<String>, Vec<i64>) = (row.try_get("facets")?, row.try_get("counts")?);
        let facets = facets.iter().zip(counts).filter_map(|(word, count)| {
            Some(FacetCount { facet: Facet::from_word(word)?, count: u64::try_from(count).ok()? })
        });
        Ok(SearchResult {
            hits: keys.iter().filter_map(|key| key.parse::<ProductId>().ok()).collect(),
            total: u64::try_from(row.try_get::<i64, _>("total")?).unwrap_or(0),
            facets: facets.collect(),
            corrected: None,
        })
    }

    async fn titles(&self, words: &[String], limit: u32) -> Result<Vec<String>, ReadError> {
        let query = sqlx::query_scalar::<Postgres, String>(
            "SELECT title FROM (
                 SELECT title, max(ts_rank(vector, typed)) AS rank
                 FROM live.search_documents, to_tsquery('simple', $1) AS typed
                 WHERE published AND vector @@ typed GROUP BY title
             ) AS titles ORDER BY rank DESC, title LIMIT $2",
        );
        let query = query.bind(beginnings(words, "A")).bind(i64::from(limit));
        self.db.within(query.fetch_all(self.db.pool())).await
    }

    /// The words with those corrected that nothing begins with; nothing when there is nothing to correct.
    async fn corrected(&self, typed: &[String]) -> Result<Option<Vec<String>>, ReadError> {
        let known = self.known().await?;
        let better: Vec<Option<String>> = typed.iter().map(|word| known.better(word)).collect();
        let changed = better.iter().any(Option::is_some);
        let corrected =
            better.into_iter().zip(typed).map(|(better, typed)| better.unwrap_or_else(|| typed.clone()));
        Ok(changed.then(|| corrected.collect()))
    }

    /// All words of the products for sale; asked for at most every few seconds, by one caller at a time. Those of a moment
    /// ago will do when they cannot be had.
    async fn known(&self) -> Result<Arc<Known>, ReadError> {
        let mut known = self.known.lock().await;
        let before = match known.as_ref() {
            Some((asked, known)) if asked.elapsed() < FRESH => return Ok(Arc::clone(known)),
            before => before.map(|(_, known)| Arc::clone(known)),
        };
        let statement =
            "SELECT word FROM ts_stat('SELECT vector FROM live.search_documents WHERE published')";
        let words = self.db.within(sqlx::query_scalar(statement).fetch_all(self.db.pool())).await;
        let now = match (words, before) {
            (Ok(words), _) => Arc::new(Known { words, ..Known::default() }),
            (Err(_), Some(before)) => before,
            (Err(error), None) => return Err(error),
        };
        *known = Some((Instant::now(), Arc::clone(&now)));
        Ok(now)
    }
}

/// The facets of all that was found and their counts, as two arrays.
const FACETS: &str = "
    (SELECT coalesce(array_agg(facet), '{}') FROM counted) AS facets,
    (SELECT coalesce(array_agg(count), '{}') FROM counted) AS counts";

/// What was typed, word by word, in lower case.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(MOST_WORDS).map(str::to_lowercase).collect()
}

/// A `tsquery` for documents that have, for each word, one that begins with it (in the parts of this weight). Words
/// have no characters that mean anything in it.
fn beginnings(words: &[String], weight: &str) -> String {
    words.iter().map(|word| format!("{word}:*{weight}")).collect::<Vec<_>>().join(" & ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_that_many_make_is_looked_up_once() {
        let known = Known { words: vec!["lantern".to_owned(), "cup".to_owned()], ..Known::default() };
        for typed in ["lamtern", "lamtern", "lant", "nothing"] {
            let better = known.better(typed);
            assert_eq!(better.as_deref(), Some("lantern").filter(|_| typed == "lamtern"), "{typed}");
        }
        assert_eq!(known.corrected.lock().expect("nobody panicked").len(), 3);
        for number in 0..2 * MOST_CORRECTED {
            known.better(&format!("typo{number}"));
        }
        assert!(known.corrected.lock().expect("nobody panicked").len() <= MOST_CORRECTED);
    }
}
