//! Against numbers that others published, and against the definitions written down as they are.

use std::ops::Range;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use uuid::Uuid;

use super::path::fold;
use super::*;
use crate::event::RecordedEvent;

/// The entries of the tests of Certificate Transparency, and the roots of the first ones of them.
const ENTRIES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).expect("digits"));
    digits.map(|two| u8::from_str_radix(two, 16).expect("digits")).collect()
}

/// Some entry.
fn entry(number: u64) -> TreeHash {
    TreeHash::of_entry(&number.to_be_bytes())
}

/// RFC 6962, section 2.1, word for word.
fn root(entries: &[TreeHash]) -> TreeHash {
    match entries {
        [] => TreeHash::of_nothing(),
        [one] => *one,
        several => {
            let (left, right) = several.split_at(several.len().next_power_of_two() / 2);
            TreeHash::join(&root(left), &root(right))
        }
    }
}

/// A tree of so many entries: the entries, the tiles and the frontier.
fn tree(size: u64) -> (Vec<TreeHash>, Tiles, Frontier) {
    let (mut entries, mut frontier) = (Vec::new(), Frontier::default());
    let mut made: std::collections::HashMap<Tile, Vec<u8>> = std::collections::HashMap::new();
    for number in 0..size {
        entries.push(entry(number));
        let at = frontier.size();
        frontier.push(entry(number), |level, hash| {
            if level % TILE_HEIGHT == 0 {
                let (tile, _) = Tile::of(Subtree { level, number: at >> level });
                made.entry(tile).or_default().extend(hash.0);
            }
        });
    }
    let mut tiles = Tiles::default();
    for (tile, hashes) in made {
        tiles.add(tile, hashes);
    }
    (entries, tiles, frontier)
}

fn hashes(tiles: &Tiles, path: &[Range<u64>]) -> Vec<TreeHash> {
    path.iter().map(|range| tiles.hash(range).expect("the tiles are there")).collect()
}

fn event() -> RecordedEvent {
    RecordedEvent {
        position: 3,
        event_id: Uuid::from_u128(0x0190_a3c4_8f00_7abc_8def_0123_4567_89ab),
        aggregate_type: "Order".to_owned(),
        aggregate_id: "zoë \"7\"\\\n\u{1}€😀".to_owned(),
        sequence: 2,
        event_type: "OrderPlaced".to_owned(),
        event_version: "1".to_owned(),
        payload: r#"{"total":1099}"#.to_owned(),
        metadata: "{}".to_owned(),
        recorded_at: DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_764_323_999_120_003),
    }
}

#[test]
fn roots_are_those_that_others_published() {
    assert_eq!(
        Frontier::default().root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut tree = Frontier::default();
    for (entry, expected) in ENTRIES.iter().zip(ROOTS) {
        tree.push(TreeHash::of_entry(&bytes(entry)), |_, _| {});
        assert_eq!(tree.root().to_string(), expected);
    }
}

#[test]
fn a_path_is_the_one_of_the_standard() {
    // RFC 6962, section 2.1.3: a tree of seven entries.
    assert_eq!(inclusion_path(0, 7), [1..2, 2..4, 4..7]);
    assert_eq!(inclusion_path(3, 7), [2..3, 0..2, 4..7]);
    assert_eq!(inclusion_path(4, 7), [5..6, 6..7, 0..4]);
    assert_eq!(inclusion_path(6, 7), [4..6, 0..4]);
    assert_eq!(consistency_path(3, 7), [2..3, 3..4, 0..2, 4..7]);
    assert_eq!(consistency_path(4, 7), vec![Range { start: 4, end: 7 }]);
    assert_eq!(consistency_path(6, 7), [4..6, 6..7, 0..4]);
    assert_eq!(consistency_path(7, 7), []);
    assert_eq!(consistency_path(0, 7), []);
}

#[test]
fn every_entry_of_every_small_tree_is_proved_and_no_other() {
    for size in 1..40 {
        let (entries, tiles, frontier) = tree(size);
        assert_eq!(frontier.root(), root(&entries), "{size}");
        for index in 0..size {
            let path = hashes(&tiles, &inclusion_path(index, size));
            let at =
                |index, size, path: &[TreeHash], leaf| is_included(leaf, index, size, path, frontier.root());
            assert!(at(index, size, &path, entry(index)), "{index} of {size}");
            assert!(!at(index, size, &path, entry(index + 1)));
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(!at(other, size, &path, entry(index)), "{index} as {other} of {size}");
            }
            assert!(!at(index, size, &[path.as_slice(), &[entry(0)]].concat(), entry(index)));
            if let Some((_, shorter)) = path.split_last() {
                assert!(!at(index, size, shorter, entry(index)));
            }
        }
    }
}

#[test]
fn every_small_tree_is_proved_to_begin_with_every_smaller_one() {
    for size in 0..40 {
        let (entries, tiles, frontier) = tree(size);
        for first in 0..=size {
            let begin = root(&entries[..usize::try_from(first).expect("few")]);
            let path = hashes(&tiles, &consistency_path(first, size));
            let holds = |first, begin, end| is_consistent((first, begin), (size, end), &path);
            assert!(holds(first, begin, frontier.root()), "{first} of {size}");
            assert!(!holds(first, entry(99), frontier.root()), "{first} of {size}");
            assert!(!holds(size + 1, begin, frontier.root()));
            if first > 0 {
                assert!(!holds(first, begin, entry(99)), "{first} of {size}");
            }
        }
    }
}

#[test]
fn a_tree_goes_on_from_its_frontier() {
    let (_, _, whole) = tree(300);
    let (_, _, mut part) = tree(200);
    for number in 200..300 {
        part.push(entry(number), |_, _| {});
    }
    assert_eq!(part, whole);
    assert_eq!(Frontier::of(3, vec![entry(0)]), None);
}

#[test]
fn tiles_are_as_the_specification_counts_them() {
    // <https://c2sp.org/tlog-tiles>: a tree of size 70,000.
    let width = |level, number| Tile { level, number }.width(70_000);
    assert_eq!([width(0, 272), width(0, 273), width(0, 274)], [256, 112, 0]);
    assert_eq!([width(1, 0), width(1, 1), width(2, 0), width(3, 0)], [256, 17, 1, 0]);
    assert_eq!([Tile { level: 0, number: 0 }.width(256), Tile { level: 1, number: 0 }.width(256)], [256, 1]);
}

#[test]
fn a_tile_has_one_address() {
    let hashes = |level, number, width| TilePath { kind: Kind::Hashes(Tile { level, number }), width };
    for (path, text) in [
        (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (hashes(2, 0, 1), "tile/2/000.p/1"),
        (TilePath { kind: Kind::Entries(1_000), width: 256 }, "tile/entries/x001/000"),
    ] {
        assert_eq!(path.to_string(), text);
        assert_eq!(text.parse(), Ok(path));
    }
    for wrong in [
        "tile/0/1",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/00/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/-1/000",
        "tile/9/000",
        "tile/0/x000/001",
        "tile/0/",
        "tile/0/+01",
        "tile/x/000",
        "checkpoint",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(wrong.parse::<TilePath>(), Err(NoTile), "{wrong}");
    }
}

#[test]
fn an_entry_is_these_bytes() {
    let entry = Facts::from(&event()).entry();
    assert_eq!(
        entry,
        "{\"aggregate_id\":\"zoë \\\"7\\\"\\\\\\n\\u0001€😀\",\"aggregate_type\":\"Order\",\
         \"event_id\":\"0190a3c4-8f00-7abc-8def-0123456789ab\",\"event_type\":\"OrderPlaced\",\"event_version\":\"1\",\
         \"metadata_sha256\":\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\
         \"payload_sha256\":\"bf4318599f658ee8193b932758c095e45dfaa47ea5c8236c814c738f5890b26c\",\
         \"position\":3,\"recorded_at\":\"2025-11-28T09:59:59.120003Z\",\"sequence\":2}"
    );
    // What `sha256sum` says of a zero byte and these.
    assert_eq!(
        Facts::from(&event()).hash().to_string(),
        "77b5c1dfb661180995cf79fa9428b7a4a20612d6b29d84f060af6979924e8e02"
    );
}

#[test]
fn whatever_is_changed_of_an_event_is_another_entry() {
    let change: [fn(&mut RecordedEvent); 10] = [
        |event| event.position += 1,
        |event| event.event_id = Uuid::nil(),
        |event| event.aggregate_type.push('s'),
        |event| event.aggregate_id.clear(),
        |event| event.sequence += 1,
        |event| event.event_type.push('s'),
        |event| event.event_version.push('0'),
        |event| event.payload.push(' '),
        |event| event.metadata.push(' '),
        |event| event.recorded_at += TimeDelta::microseconds(1),
    ];
    for (number, change) in change.into_iter().enumerate() {
        let mut changed = event();
        change(&mut changed);
        assert_ne!(Facts::from(&changed).hash(), Facts::from(&event()).hash(), "{number}");
    }
}

#[test]
fn a_note_of_others_is_verified() {
    // The example of <https://c2sp.org/signed-note>, and the one of Go's `sumdb/note`, whose key to sign is public too.
    let key: VerifyingKey =
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".parse().expect("a key");
    let text = "This is an example message.\n\n\
        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let note: Note = text.parse().expect("a note");
    assert_eq!(note.verify(&key), Ok(None));
    assert_eq!((note.to_string(), key.to_string().parse()), (text.to_owned(), Ok(key)));

    let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signing: SigningKey = secret.parse().expect("a key");
    let verifying = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!((signing.verifying().to_string().as_str(), signing.secret().as_str()), (verifying, secret));
    let mut note = Note::of(
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n".to_owned(),
    )
    .expect("a text");
    note.sign(&signing, DateTime::UNIX_EPOCH);
    assert!(note.to_string().ends_with(
        "\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ));
}

fn keys() -> (SigningKey, SigningKey) {
    let log = SigningKey::of("shop.example/log", Signs::Log, [7; 32]).expect("a key");
    let witness = SigningKey::of("witness.example", Signs::Witness, [8; 32]).expect("a key");
    (log, witness)
}

#[test]
fn a_witness_says_when_and_nobody_can_say_it_for_them() {
    let (log, witness) = keys();
    let head = TreeHead { origin: "shop.example/log".to_owned(), size: 7, root: entry(7) };
    let mut note = Note::of(head.to_string()).expect("a text");
    note.sign(&log, DateTime::UNIX_EPOCH);
    assert_eq!(note.verify(witness.verifying()), Err(NoteError::Unsigned));
    let at = DateTime::from_timestamp(1_764_324_000, 0).expect("a moment");
    note.sign(&witness, at);
    // Signed again, it is signed once.
    note.sign(&witness, at);
    assert_eq!(note.signatures().len(), 2);

    let read: Note = note.to_string().parse().expect("a note");
    assert_eq!(read, note);
    assert_eq!(TreeHead::of(&read, log.verifying()), Ok(head));
    assert_eq!(read.verify(witness.verifying()), Ok(Some(at)));
    // Another moment, another text, or another key of the same name.
    let altered: Note = note.to_string().replacen("\n7\n", "\n8\n", 1).parse().expect("a note");
    assert_eq!(altered.verify(log.verifying()), Err(NoteError::False));
    assert_eq!(altered.verify(witness.verifying()), Err(NoteError::False));
    let other = SigningKey::of("witness.example", Signs::Witness, [9; 32]).expect("a key");
    assert_eq!(read.verify(other.verifying()), Err(NoteError::Unsigned));
    let line = note.signatures()[1].to_string();
    let (begin, last) = line.split_at(line.len() - 5);
    let false_line = format!("{begin}{}", if last.starts_with('A') { "BAAA=" } else { "AAAA=" });
    let forged: Note = note.to_string().replace(&line, &false_line).parse().expect("a note");
    assert_eq!(forged.verify(witness.verifying()), Err(NoteError::False));
}

#[test]
fn a_head_counts_for_the_log_whose_key_signed_it() {
    let (log, witness) = keys();
    let mut note =
        Note::of(TreeHead { origin: "other.example".to_owned(), size: 7, root: entry(7) }.to_string())
            .expect("a text");
    note.sign(&log, DateTime::UNIX_EPOCH);
    note.sign(&witness, DateTime::UNIX_EPOCH);
    assert_eq!(TreeHead::of(&note, log.verifying()), Err(NoteError::Unsigned));
    assert_eq!(TreeHead::of(&note, witness.verifying()), Err(NoteError::Unsigned));
}

#[test]
fn what_is_no_note_no_head_and_no_key_is_refused() {
    for wrong in
        ["", "a\n", "a\n\n", "a\n\n— b", "a\n\n— b AAAA\n", "a\tb\n\n— b AAAAAAA=\n", "a\n\n- b AAAAAAA=\n"]
    {
        assert_eq!(wrong.parse::<Note>(), Err(NoteError::Malformed), "{wrong:?}");
    }
    for wrong in
        ["", "a\n1\n", "a\n01\nAAAA\n", "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "a\n1\nAAAA\n"]
    {
        assert_eq!(wrong.parse::<TreeHead>(), Err(NoteError::Malformed), "{wrong:?}");
    }
    let key = |text: &str| text.parse::<VerifyingKey>().expect_err("not a key");
    assert_eq!(key("example.com/foo"), KeyError::Malformed);
    assert_eq!(
        key("example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
        KeyError::Altered
    );
    assert_eq!(
        key("example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
        KeyError::Unsupported
    );
    assert_eq!(SigningKey::of("a b", Signs::Log, [0; 32]).expect_err("not a name"), KeyError::Name);
}

/// The proof of an event in a tree of five.
fn proof() -> (InclusionProof, VerifyingKey) {
    let (log, _) = keys();
    let mut entries: Vec<TreeHash> = (0..5).map(entry).collect();
    entries[2] = Facts::from(&event()).hash();
    let head = TreeHead { origin: "shop.example/log".to_owned(), size: 5, root: root(&entries) };
    let mut checkpoint = Note::of(head.to_string()).expect("a text");
    checkpoint.sign(&log, DateTime::UNIX_EPOCH);
    let path = vec![entries[3], fold(&entries[..2]), entries[4]];
    (InclusionProof { event: event(), path, checkpoint }, log.verifying().clone())
}

#[test]
fn a_proof_is_a_file_that_is_checked_with_nothing_but_a_key() {
    let (proof, key) = proof();
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "), "{text}");
    let read: InclusionProof = text.parse().expect("a proof");
    assert_eq!(read, proof);
    assert_eq!(read.check(&key).expect("it proves it").size, 5);
    let other = SigningKey::of("shop.example/log", Signs::Log, [1; 32]).expect("a key");
    assert!(matches!(read.check(other.verifying()), Err(ProofError::Checkpoint(NoteError::Unsigned))));
}

#[test]
fn a_proof_of_something_else_proves_nothing() {
    let changes: [fn(&mut InclusionProof); 4] = [
        |proof| proof.event.payload = r#"{"total":1}"#.to_owned(),
        |proof| proof.event.position = 2,
        |proof| proof.path.swap(0, 1),
        |proof| proof.path.truncate(2),
    ];
    for change in changes {
        let (mut proof, key) = proof();
        change(&mut proof);
        assert!(matches!(proof.check(&key), Err(ProofError::Another { .. })));
    }
    let text = proof().0.to_string();
    for wrong in [
        text.replace("@v1", "@v2"),
        text.replace("index 2", "index 3"),
        text.replace("index", "at"),
        String::new(),
    ] {
        assert!(matches!(wrong.parse::<InclusionProof>(), Err(ProofError::Malformed)), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn an_entry_is_the_json_it_is_the_canonical_form_of(id: String, kind: String, sequence in 1_i64..1 << 53) {
        let event = RecordedEvent { aggregate_id: id.clone(), event_type: kind.clone(), sequence, ..event() };
        let entry = Facts::from(&event).entry();
        let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&entry).expect("JSON");
        prop_assert_eq!(&read["aggregate_id"], &id);
        prop_assert_eq!(&read["event_type"], &kind);
        prop_assert_eq!(&read["sequence"], sequence);
        prop_assert!(read.keys().is_sorted());
    }

    #[test]
    fn in_a_large_tree_proofs_come_from_tiles(size in 1_u64..5_000, a: prop::sample::Index, b: prop::sample::Index) {
        let (entries, tiles, frontier) = tree(size);
        let (index, first) = (a.index(entries.len()), b.index(entries.len()));
        let path = inclusion_path(index as u64, size);
        prop_assert!(is_included(entries[index], index as u64, size, &hashes(&tiles, &path), frontier.root()));
        let path = consistency_path(first as u64, size);
        let begin = (first as u64, root(&entries[..first]));
        prop_assert!(is_consistent(begin, (size, frontier.root()), &hashes(&tiles, &path)));
        prop_assert!(tiles_of(&path).len() <= 16);
    }
}
