//! Finding products.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use daybook_domain::{Currency, Money, ProductId, Sku};
use daybook_projections::products::facet::{Facet as Word, FacetCount};
use daybook_projections::products::query::{self, PriceRange, ProductFilter, ProductSort};

use super::Product;
use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::reads::{self, Paging, Slice, connection, cost};
use crate::graphql::scalar::{CurrencyCode, Decimal, Position};
use crate::graphql::services::services;

/// The read model.
const MODEL: &str = "products";
/// How many facets may be asked for at once.
const MAX_FACETS: usize = 50;

/// Products with one value of an attribute.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct AttributeFilterInput {
    /// The attribute, or the option of a variant.
    name: String,
    /// One of these values.
    values: Vec<String>,
}

/// Products in a range of prices, by their lowest price.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct PriceRangeInput {
    /// The currency.
    currency_code: CurrencyCode,
    /// From this amount on.
    min: Option<Decimal>,
    /// Up to this amount.
    max: Option<Decimal>,
}

/// Which products.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct ProductFilterInput {
    /// Those in this category.
    category: Option<String>,
    /// Those with these attributes, all of them.
    #[graphql(default)]
    attributes: Vec<AttributeFilterInput>,
    /// Those with variants that have these options, all of them.
    #[graphql(default)]
    options: Vec<AttributeFilterInput>,
    /// Those in this range of prices.
    price_range: Option<PriceRangeInput>,
    /// Those whose title has this text in it.
    query: Option<String>,
    /// Those that are for sale, or those that are not; shoppers only ever see what is for sale.
    published: Option<bool>,
}

/// How products are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
pub(crate) enum ProductSortKey {
    /// Newest first.
    #[default]
    Newest,
    /// By title.
    Title,
    /// Cheapest first.
    PriceAscending,
    /// Dearest first.
    PriceDescending,
}

/// How products are sorted.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct ProductSortInput {
    /// By what.
    #[graphql(default)]
    key: ProductSortKey,
    /// The currency, when it is by price: what is not sold in it is left out.
    currency_code: Option<CurrencyCode>,
}

impl ProductSortInput {
    fn parse(&self) -> Result<ProductSort, ApiError> {
        let currency = || {
            let missing = || ApiError::bad_input("CURRENCY_MISSING", "to sort by price, name a currency");
            self.currency_code.map(|code| code.0).ok_or_else(missing)
        };
        Ok(match self.key {
            ProductSortKey::Newest => ProductSort::Newest,
            ProductSortKey::Title => ProductSort::Title,
            ProductSortKey::PriceAscending => ProductSort::PriceAscending(currency()?),
            ProductSortKey::PriceDescending => ProductSort::PriceDescending(currency()?),
        })
    }
}

impl ProductFilterInput {
    fn parse(self, ctx: &Context<'_>) -> Result<ProductFilter, ApiError> {
        let facets = words(self.category, self.attributes, self.options)?;
        if self.query.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(filter_invalid());
        }
        let published =
            if request(ctx).identity.may(Permission::ManageProducts) { self.published } else { Some(true) };
        let price = self.price_range.map(parse_range).transpose()?;
        Ok(ProductFilter { published, facets, price, title: self.query })
    }
}

fn filter_invalid() -> ApiError {
    ApiError::bad_input("FILTER_INVALID", "the filter holds too much, or a NUL")
}

/// The facets that a filter asks for, a group for each that products must have one of.
pub(crate) fn words(
    category: Option<String>,
    attributes: Vec<AttributeFilterInput>,
    options: Vec<AttributeFilterInput>,
) -> Result<Vec<Vec<Word>>, ApiError> {
    let attribute = |AttributeFilterInput { name, values }| -> Vec<Word> {
        values.into_iter().map(|value| Word::Attribute { name: name.clone(), value }).collect()
    };
    let option = |AttributeFilterInput { name, values }| -> Vec<Word> {
        values.into_iter().map(|value| Word::Option { name: name.clone(), value }).collect()
    };
    let groups: Vec<Vec<Word>> = category
        .map(|name| vec![Word::Category(name)])
        .into_iter()
        .chain(attributes.into_iter().map(attribute))
        .chain(options.into_iter().map(option))
        .collect();
    let all = || groups.iter().flatten();
    if all().count() > MAX_FACETS || all().flat_map(texts).any(|text| text.contains('\0')) {
        return Err(filter_invalid());
    }
    Ok(groups)
}

fn texts(facet: &Word) -> Vec<&str> {
    match facet {
        Word::Category(name) => vec![name],
        Word::Attribute { name, value } | Word::Option { name, value } => vec![name, value],
    }
}

fn parse_range(range: PriceRangeInput) -> Result<PriceRange, ApiError> {
    let currency: Currency = range.currency_code.0;
    let minor = |amount: Option<Decimal>| {
        let parse = |amount: Decimal| Money::parse(&amount.0, currency);
        let parsed = amount.map(parse).transpose();
        parsed.map_err(|error| ApiError::bad_input("AMOUNT_INVALID", error.to_string()))
    };
    let (from, to) = (minor(range.min)?, minor(range.max)?);
    Ok(PriceRange { currency, from: from.map(Money::minor), to: to.map(Money::minor) })
}

/// What a list can be narrowed down by.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Facet {
    /// `category`, or the name of an attribute or option.
    name: String,
    /// What kind of thing it is.
    kind: FacetKind,
    /// Its values, most frequent first.
    values: Vec<FacetValue>,
}

/// What kind of thing a facet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum FacetKind {
    /// The category.
    Category,
    /// An attribute.
    Attribute,
    /// An option of a variant.
    Option,
}

/// One value of a facet.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct FacetValue {
    /// The value.
    value: String,
    /// How many products have it.
    count: u64,
}

/// Counts, gathered by what they count.
pub(crate) fn facets(counts: Vec<FacetCount>) -> Vec<Facet> {
    let mut facets: Vec<Facet> = Vec::new();
    for FacetCount { facet, count } in counts {
        let (kind, name, value) = match facet {
            Word::Category(value) => (FacetKind::Category, "category".to_owned(), value),
            Word::Attribute { name, value } => (FacetKind::Attribute, name, value),
            Word::Option { name, value } => (FacetKind::Option, name, value),
        };
        let value = FacetValue { value, count };
        match facets.iter_mut().find(|facet| facet.kind == kind && facet.name == name) {
            Some(facet) => facet.values.push(value),
            None => facets.push(Facet { name, kind, values: vec![value] }),
        }
    }
    facets
}

connection! {
    /// A page of products.
    ProductConnection { filter: ProductFilter, }, ProductEdge of Product;

    /// What the whole list can be narrowed down by.
    #[graphql(complexity = 100)]
    async fn facets(&self, ctx: &Context<'_>) -> Result<Vec<Facet>, ApiError> {
        Ok(facets(query::facets(&services(ctx).reads.db, &self.filter).await?))
    }
}

/// The queries of products.
#[derive(Default)]
pub(crate) struct ProductQuery;

#[Object]
impl ProductQuery {
    /// A list of products. `afterPosition` makes it wait until it shows at least what a mutation reached.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn products(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        #[graphql(default)] filter: ProductFilterInput,
        #[graphql(default)] sort: ProductSortInput,
        after_position: Option<Position>,
    ) -> Result<ProductConnection, ApiError> {
        let page = Paging { first, after }.request(ctx)?;
        let (filter, sort) = (filter.parse(ctx)?, sort.parse()?);
        let reads = reads::after(ctx, &[MODEL], after_position).await?;
        let found = query::list(&reads.db, &filter, sort, &page).await?;
        let slice = Slice::of(found, &page, |row| Product::Read(row.into()));
        Ok(ProductConnection { slice, filter })
    }

    /// The product with this id, or with a variant of this sku.
    async fn product(
        &self,
        ctx: &Context<'_>,
        id: Option<IdOf<ProductId>>,
        sku: Option<String>,
        after: Option<Position>,
    ) -> Result<Option<Product>, ApiError> {
        let load = &reads::after(ctx, &[MODEL], after).await?.load;
        let found = match (id, sku) {
            (Some(IdOf(id)), None) => load.products.get(id).await?,
            (None, Some(sku)) => match Sku::try_new(sku) {
                Ok(sku) => load.products_by_sku.get(sku).await?,
                Err(_) => None,
            },
            (None, None) | (Some(_), Some(_)) => {
                return Err(ApiError::bad_input("KEY_AMBIGUOUS", "give an id or a sku"));
            }
        };
        Ok(found.map(Product::Read).filter(|product| product.is_visible(ctx)))
    }
}
