//! Which location serves an order: the rule, in one place.
//!
//! Locations in the shopper's country come first, the others after them, both in the shop's order. A location
//! that can send the whole order goes before one that can send a part, so that one parcel does where one can.
//! What is available is only a hint for the order of trying: the stock item itself decides who gets it, and
//! every location stays a candidate.

use std::str::FromStr;

use crate::inventory::StockItem;
use crate::kernel::{CountryCode, LocationCode, Quantity, QuantityError, VariantId};

/// A place that holds stock, as the shop configures it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Its code.
    pub code: LocationCode,
    /// The country it is in.
    pub country: CountryCode,
}

/// The configured locations are not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationsError {
    /// An entry is not a code and a country.
    #[error("`{0}` is not a location such as `LON:GB`")]
    NotALocation(String),
    /// A code is listed twice.
    #[error("location {0} is listed twice")]
    Repeated(LocationCode),
    /// Nothing is listed.
    #[error("no location is listed")]
    Empty,
}

/// A variant of an order, and where to try to get it, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced {
    /// The variant.
    pub variant_id: VariantId,
    /// How many units all lines of the order want together.
    pub quantity: Quantity,
    /// The candidates, best first.
    pub locations: Vec<LocationCode>,
}

impl FromStr for Location {
    type Err = LocationsError;

    fn from_str(text: &str) -> Result<Self, LocationsError> {
        let parts = text.split_once(':').map(|(code, country)| (code.parse(), country.parse()));
        match parts {
            Some((Ok(code), Ok(country))) => Ok(Self { code, country }),
            Some(_) | None => Err(LocationsError::NotALocation(text.to_owned())),
        }
    }
}

/// Reads the shop's locations in its order of preference, such as `LON:GB,ROT:NL`.
pub fn parse_locations(text: &str) -> Result<Vec<Location>, LocationsError> {
    let mut locations: Vec<Location> = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let location: Location = entry.parse()?;
        if locations.iter().any(|known| known.code == location.code) {
            return Err(LocationsError::Repeated(location.code));
        }
        locations.push(location);
    }
    if locations.is_empty() { Err(LocationsError::Empty) } else { Ok(locations) }
}

/// The locations that may serve an order to `country`, best first.
pub fn candidates<'a>(locations: &'a [Location], country: &CountryCode) -> Vec<&'a Location> {
    let mut ordered: Vec<&Location> = locations.iter().collect();
    ordered.sort_by_key(|location| location.country != *country);
    ordered
}

/// Where to try to get each variant of `demand`, in the order of its first mention: of the `ordered`
/// candidates, first those that can serve the whole order, then those that can serve all of this variant,
/// then the rest. Lines of one variant are summed.
pub fn choose(
    demand: &[(VariantId, Quantity)],
    ordered: &[&Location],
    available: impl Fn(&StockItem) -> i64,
) -> Result<Vec<Sourced>, QuantityError> {
    let demand = summed(demand)?;
    let serves = |location: &Location, variant_id: VariantId, quantity: Quantity| {
        available(&StockItem { variant_id, location: location.code.clone() }) >= quantity.count()
    };
    // Each row: a location, and whether it can serve each variant.
    let mut rows: Vec<(&LocationCode, Vec<bool>)> = ordered
        .iter()
        .map(|location| (&location.code, demand.iter().map(|(id, n)| serves(location, *id, *n)).collect()))
        .collect();
    rows.sort_by_key(|(_, served)| served.contains(&false));
    let sourced = demand.iter().enumerate().map(|(index, (variant_id, quantity))| {
        let mut best = rows.clone();
        best.sort_by_key(|(_, served)| served.get(index) != Some(&true));
        let locations = best.into_iter().map(|(code, _)| code.clone()).collect();
        Sourced { variant_id: *variant_id, quantity: *quantity, locations }
    });
    Ok(sourced.collect())
}

fn summed(demand: &[(VariantId, Quantity)]) -> Result<Vec<(VariantId, Quantity)>, QuantityError> {
    let mut sums: Vec<(VariantId, Quantity)> = Vec::with_capacity(demand.len());
    for (variant_id, quantity) in demand {
        match sums.iter_mut().find(|(known, _)| known == variant_id) {
            Some((_, sum)) => *sum = sum.checked_add(*quantity)?,
            None => sums.push((*variant_id, *quantity)),
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::{Location, LocationsError, candidates, choose, parse_locations};
    use crate::inventory::StockItem;
    use crate::kernel::{CountryCode, Quantity, VariantId, sample};

    fn locations() -> Vec<Location> {
        parse_locations("LON:GB,ROT:NL,MAN:GB").expect("locations")
    }

    fn country(text: &str) -> CountryCode {
        CountryCode::try_new(text).expect("country")
    }

    fn variant(number: u16) -> VariantId {
        VariantId::new(sample::id(number))
    }

    fn wanted(number: u16, count: i64) -> (VariantId, Quantity) {
        (variant(number), sample::quantity(count))
    }

    /// The codes to try for each variant of an order to the Netherlands, with this stock.
    fn chosen(demand: &[(VariantId, Quantity)], stock: &[(u16, &str, i64)]) -> Vec<String> {
        let locations = locations();
        let available = |item: &StockItem| {
            let here = |(v, at, _): &&(u16, &str, i64)| {
                variant(*v) == item.variant_id && *at == item.location.as_str()
            };
            stock.iter().find(here).map_or(0, |(_, _, count)| *count)
        };
        let chosen = choose(demand, &candidates(&locations, &country("NL")), available).expect("quantities");
        let text = |codes: &[_]| codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        chosen
            .iter()
            .map(|sourced| format!("{} of {}", sourced.quantity.get(), text(&sourced.locations)))
            .collect()
    }

    #[test]
    fn the_shoppers_country_comes_first_and_the_rest_in_the_shops_order() {
        let locations = locations();
        let codes = |to: &str| {
            candidates(&locations, &country(to)).iter().map(|l| l.code.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(codes("NL"), ["ROT", "LON", "MAN"]);
        assert_eq!(codes("GB"), ["LON", "MAN", "ROT"]);
        assert_eq!(codes("US"), ["LON", "ROT", "MAN"]);
    }

    #[test]
    fn a_location_with_the_whole_order_goes_before_a_nearer_one_with_a_part() {
        let stock = [(1, "ROT", 5), (1, "MAN", 5), (2, "MAN", 5)];
        assert_eq!(chosen(&[wanted(1, 1), wanted(2, 2)], &stock), ["1 of MAN ROT LON", "2 of MAN ROT LON"]);
    }

    #[test]
    fn without_one_for_all_each_variant_is_tried_first_where_it_is() {
        let stock = [(1, "LON", 5), (2, "MAN", 5)];
        assert_eq!(chosen(&[wanted(1, 1), wanted(2, 2)], &stock), ["1 of LON ROT MAN", "2 of MAN ROT LON"]);
    }

    #[test]
    fn lines_of_one_variant_are_summed_before_the_check() {
        let stock = [(1, "ROT", 3), (1, "LON", 4)];
        assert_eq!(chosen(&[wanted(1, 2), wanted(1, 2)], &stock), ["4 of LON ROT MAN"]);
    }

    #[test]
    fn with_nothing_known_to_be_there_every_location_is_still_tried() {
        assert_eq!(chosen(&[wanted(1, 2)], &[]), ["2 of ROT LON MAN"]);
        assert_eq!(chosen(&[], &[]), [""; 0]);
    }

    #[test]
    fn a_sum_beyond_every_quantity_is_an_error() {
        let most = (variant(1), Quantity::try_new(i64::from(Quantity::MAX)).expect("quantity"));
        assert!(choose(&[most, most], &[], |_| 0).is_err());
    }

    #[test]
    fn a_wrong_configuration_is_said_in_one_clause() {
        let error = |text: &str| parse_locations(text).expect_err("refused").to_string();
        assert_eq!(error("LON"), "`LON` is not a location such as `LON:GB`");
        assert_eq!(error("lon:GB"), "`lon:GB` is not a location such as `LON:GB`");
        assert_eq!(error("LON:GBR"), "`LON:GBR` is not a location such as `LON:GB`");
        assert_eq!(error("LON:GB, LON:NL"), "location LON is listed twice");
        assert_eq!(parse_locations(" , "), Err(LocationsError::Empty));
    }
}
