//! Where the notary begins: at the last head that was signed, if the tree as it is kept proves to be that and the log has the
//! event there; otherwise at the first event.

use daybook_eventstore::Checkpoint;
use daybook_eventstore::proof::{Facts, Frontier, TreeHead, is_consistent, is_included};

use super::error::NotaryError;
use super::table::Book;
use super::{Notary, query, table};

impl Notary {
    /// The tree up to where the notary begins. What was signed is the larger of what it remembers and what is kept.
    pub(super) async fn start(&self, signed: &mut Option<TreeHead>) -> Result<Book, NotaryError> {
        let (read, reader) = (&self.context.read, &self.context.log.reader);
        let stood = table::find(read).await?;
        let kept = query::last_signed(read).await?.transpose()?;
        if let (Some(own), Some(kept)) = (signed.as_ref(), &kept)
            && own.size <= kept.size
        {
            let path = query::consistency(read, own.size, kept.size).await?;
            let (own, kept) = ((own.size, own.root), (kept.size, kept.root));
            if path.is_some_and(|path| !is_consistent(own, kept, &path)) {
                return Err(NotaryError::Contradicted { signed: own.0, now: kept.0 });
            }
        }
        if let Some(kept) = kept.filter(|kept| signed.as_ref().is_none_or(|own| own.size <= kept.size)) {
            *signed = Some(kept);
        }
        let origin = Checkpoint::origin(reader).await?;
        let book = match signed {
            Some(signed) => self.last_signed_book(signed, &origin).await?,
            None => None,
        };
        let book = book.unwrap_or(Book { at: origin, tree: Frontier::default() });
        table::begin(read, stood.as_ref(), &book.at).await?;
        if book.tree.size() == 0 && stood.is_some_and(|stood| stood.position > 0) {
            tracing::warn!("the tree is made again from the first event");
        }
        Ok(book)
    }

    /// The tree that was signed; nothing when it is not kept any more, or not as it was.
    async fn last_signed_book(
        &self,
        signed: &TreeHead,
        origin: &Checkpoint,
    ) -> Result<Option<Book>, NotaryError> {
        let (read, reader) = (&self.context.read, &self.context.log.reader);
        let position = i64::try_from(signed.size).unwrap_or(i64::MAX);
        let replaced = NotaryError::Replaced { position };
        if reader.head().await?.position < position {
            return Err(replaced);
        }
        let Some(index) = signed.size.checked_sub(1) else { return Ok(None) };
        let tree =
            query::frontier(read, signed.size).await?.and_then(|roots| Frontier::of(signed.size, roots));
        let Some(tree) = tree.filter(|tree| tree.root() == signed.root) else { return Ok(None) };
        let (Some(path), Some(kept)) =
            (query::inclusion(read, index, signed.size).await?, query::entry(read, index).await?)
        else {
            return Ok(None);
        };
        if !is_included(kept, index, signed.size, &path, signed.root) {
            return Ok(None);
        }
        let event = reader.find(position).await?.filter(|event| Facts::from(event).hash() == kept);
        let event = event.ok_or(replaced)?;
        Ok(Some(Book { at: Checkpoint::on(origin.epoch, &event), tree }))
    }
}
