//! Importing: a file of our own with every kind of dirt, interruptions, and a slice of the real file where it is there.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use liblzma::write::XzEncoder;
use serde_json::Value;

use sqlx::postgres::PgConnectOptions;

use crate::harness::{Database, Process, Proxy, eventually, skipped, unique};

/// How long an import of a test may take.
const SOON: Duration = Duration::from_mins(2);
const VAULT_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";
const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

/// Lines as life writes them; each that is rejected says why at its end, after a `#`.
const DIRTY: &str = "\
90001,20001,RED MUG,6,2010-12-01T08:26:00,2.55,501,United Kingdom
90001,20002,\"TIN, ROUND\",2,2010-12-01T08:26:00,1.25,501,United Kingdom
90001,20001,RED MUG,1,2010-12-01T08:27:00,2.10,501,United Kingdom
90001,20003,LOST,-3,2010-12-01T08:26:00,0,501,United Kingdom#stock_correction
90002,20001,RED MUG,4,12/1/2010 9:00,2.55,501.0,United Kingdom
90002,POST,POSTAGE,1,12/1/2010 9:00,18.00,501,United Kingdom
90002,20004,FREE SAMPLE,1,12/1/2010 9:00,0.00,501,United Kingdom#zero_price
90002,PADS,PADS,1,12/1/2010 9:00,0.001,501,United Kingdom#finer_than_a_penny
90003,20002,\"TIN, ROUND\",10,2010-12-02 10:00,1.25,,EIRE
90003,20002,\"TIN, ROUND\",1,2010-12-02 10:00,1.25,502,EIRE#differs_from_invoice
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country#repeated_header
C90004,20001,RED MUG,-5,2010-12-03 10:00,2.55,501,United Kingdom
C90004,20001,RED MUG,-7,2010-12-03 10:00,2.55,501,United Kingdom#no_earlier_sale
C90004,20001,RED MUG,1,2010-12-03 10:00,2.55,501,United Kingdom#charged_back
C90005,20002,\"TIN, ROUND\",-1,2010-12-03 11:00,1.25,,EIRE#nobodys_return
C90006,D,Discount,-1,2010-12-03 12:00,27.50,501,United Kingdom#not_a_sale
A90007,B,Adjust bad debt,1,2010-12-03 13:00,-11062.06,,United Kingdom#bad_debt
90008,20001,RED MUG,many,2010-12-04 10:00,2.55,501,United Kingdom#bad_quantity
90008,20001,RED MUG,1,yesterday,2.55,501,United Kingdom#bad_date
90008,20001,RED MUG,1,2010-12-04 10:00,cheap,501,United Kingdom#bad_price
90008,20001,RED MUG,1,2010-12-04 10:00,-2.55,501,United Kingdom#negative_price
90008,20001,RED MUG,1,2010-12-04 10:00,2.55,nobody,United Kingdom#bad_customer
90008,20001,RED MUG,1,2010-12-04 10:00,2.55,501,Atlantis#unknown_country
90008,,RED MUG,1,2010-12-04 10:00,2.55,501,United Kingdom#missing_field
9000x,20001,RED MUG,1,2010-12-04 10:00,2.55,501,United Kingdom#bad_invoice_number
what is this#garbled
90009,20001,,1,2010-12-05 10:00,3.00,503,Unspecified
90001,20001,RED MUG,1,2010-12-05 11:00,2.55,501,United Kingdom
";

/// An import into databases of its own.
pub(super) struct Importing {
    pub(super) events: Database,
    /// Where the programs reach it.
    events_url: String,
    pub(super) read: Database,
    pub(super) folder: PathBuf,
}

impl Importing {
    pub(super) async fn new() -> Self {
        let folder = std::env::temp_dir().join(unique("import"));
        std::fs::create_dir(&folder).expect("a folder");
        let events = Database::events().await;
        Self { events_url: events.url.clone(), events, read: Database::read().await, folder }
    }

    pub(super) fn file(&self, lines: &str) -> PathBuf {
        let path = self.folder.join("lines.csv");
        std::fs::write(&path, format!("{HEADER}\r\n{lines}")).expect("a file");
        path
    }

    pub(super) fn start(&self, program: &str, arguments: &[&str]) -> Process {
        let settings = [
            ("EVENTS_URL", self.events_url.as_str()),
            ("READ_URL", self.read.url.as_str()),
            ("VAULT_KEY", VAULT_KEY),
            ("LOG", "warn"),
        ];
        Process::start(program, arguments, &settings)
    }

    fn begin(&self, file: &Path, more: &[&str]) -> Process {
        let json = self.folder.join("report.json");
        let rejects = self.folder.join("rejects.csv");
        let file = [file, json.as_path(), rejects.as_path()].map(|path| path.to_str().expect("a path"));
        let mut arguments = vec!["import", "online-retail", file[0], "--json", file[1], "--rejects", file[2]];
        arguments.extend(more);
        self.start("daybook-replay", &arguments)
    }

    /// Imports the file to its end and returns the report.
    pub(super) async fn run(&self, file: &Path, more: &[&str]) -> Value {
        let mut import = self.begin(file, more);
        let ended = import.ended(SOON).await;
        assert!(ended.success(), "{ended}: {}", import.output());
        let report = std::fs::read(self.folder.join("report.json")).expect("a report");
        serde_json::from_slice(&report).expect("JSON")
    }

    /// The line and reason of each rejected line.
    fn rejects(&self) -> Vec<(usize, String)> {
        let rejects = std::fs::read_to_string(self.folder.join("rejects.csv")).expect("the rejected lines");
        let parsed = rejects.lines().skip(1).map(|line| {
            let mut fields = line.split(',');
            let number = fields.next().and_then(|number| number.parse().ok()).expect("a line's number");
            (number, fields.next().expect("a reason").to_owned())
        });
        parsed.collect()
    }

    /// What there is of each type of event; stock is received as needed, which depends on who comes first.
    async fn story(&self) -> Vec<(String, i64)> {
        let query = sqlx::query_as(
            "SELECT event_type, count(*) FROM events WHERE event_type <> 'InventoryReceived' GROUP BY 1 ORDER BY 1",
        );
        query.fetch_all(&self.events.pool).await.expect("the counts")
    }

    pub(super) async fn head(&self) -> i64 {
        self.position().await
    }

    async fn position(&self) -> i64 {
        let query = sqlx::query_scalar("SELECT position FROM log_head");
        query.fetch_one(&self.events.pool).await.expect("the head")
    }
}

impl Drop for Importing {
    fn drop(&mut self) {
        // What stays goes with the servers' folder.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// The dirty lines as the file has them, and the number and reason of each that is to be rejected.
pub(super) fn dirty() -> (String, Vec<(usize, String)>) {
    let (mut lines, mut rejected) = (String::new(), Vec::new());
    for (line, number) in DIRTY.lines().zip(1..) {
        let (line, reason) = line.split_once('#').unwrap_or((line, ""));
        lines.push_str(line);
        lines.push('\n');
        if !reason.is_empty() {
            rejected.push((number, reason.to_owned()));
        }
    }
    (lines, rejected)
}

/// This many invoices of three lines over 40 customers, and now and then a credit note.
pub(super) fn many(invoices: usize) -> String {
    let mut lines = String::new();
    for number in 0..invoices {
        let (invoice, customer, day) = (70_000 + number, 500 + number % 40, 1 + number % 28);
        let rest = format!("2011-01-{day:02}T10:00:00,1.5{},{customer},France", number % 10);
        for line in 0..3 {
            let code = 30_000 + (number + line) % 20;
            writeln!(lines, "{invoice},{code},THING {code},{},{rest}", line + 1).expect("a line");
        }
        if number % 7 == 0 {
            writeln!(lines, "C{invoice},{},THING,-1,{rest}", 30_000 + number % 20).expect("a line");
        }
    }
    lines
}

#[tokio::test]
async fn every_line_ends_as_imported_or_as_rejected_with_a_reason() {
    let importing = Importing::new().await;
    let (lines, rejected) = dirty();
    let _projector = importing.start("daybook-projector", &["orders"]);
    let report = importing.run(&importing.file(&lines), &[]).await;

    assert_eq!(importing.rejects(), rejected);
    assert_eq!(report["lines"], DIRTY.lines().count());
    assert_eq!(report["rejected"], rejected.len());
    assert_eq!(report["imported"], DIRTY.lines().count() - rejected.len());
    // 6 × 2.55 + 2 × 1.25 + 2.10, 4 × 2.55 + 18.00, 10 × 1.25, 3.00, 2.55
    let sold = 1_530 + 250 + 210 + 1_020 + 1_800 + 1_250 + 300 + 255;
    assert_eq!(report["sales"]["money"], format!("{}.{:02}", sold / 100, sold % 100));
    assert_eq!((&report["sales"]["documents"], &report["refunds"]["money"]), (&5.into(), &"12.75".into()));
    for said in ["events_say", "read_model_says"] {
        assert_eq!(report[said]["captured"], report["sales"]["money"], "{said}: {report}");
        assert_eq!(report[said]["refunded"], report["refunds"]["money"], "{said}: {report}");
    }
    assert_eq!(report["events"], importing.position().await);
}

#[tokio::test]
async fn a_compressed_file_is_known_by_its_content_whatever_its_name_is() {
    let importing = Importing::new().await;
    let (plain, compressed) = (importing.file(&dirty().0), importing.folder.join("compressed.csv"));
    let mut packer = XzEncoder::new(Vec::new(), 6);
    packer.write_all(&std::fs::read(&plain).expect("the file")).expect("it is packed");
    std::fs::write(&compressed, packer.finish().expect("it is packed")).expect("a file");
    let report = importing.run(&compressed, &[]).await;
    assert_eq!(importing.rejects(), dirty().1);
    assert_eq!(report["lines"], DIRTY.lines().count());
    let again = importing.run(&plain, &[]).await;
    assert_eq!((&again["events"], &again["sales"]), (&0.into(), &report["sales"]), "its content is the same");
}

#[tokio::test]
async fn an_invoice_is_a_whole_story_at_its_own_date_by_the_import() {
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    for event in ["CartSubmitted", "OrderPlaced", "OrderCompleted", "PaymentCaptured", "ShipmentDelivered"] {
        assert_eq!(importing.events.count(event).await, 5, "{event}");
    }
    assert_eq!(importing.events.count("PaymentRefunded").await, 2);
    assert_eq!(importing.events.count("InventoryReturned").await, 2);
    let strangers: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE metadata->>'actor' <> 'import:online-retail' \
         OR (metadata->>'occurred_at')::timestamptz NOT BETWEEN '2010-12-01' AND '2010-12-06'",
    )
    .fetch_one(&importing.events.pool)
    .await
    .expect("a count");
    assert_eq!(strangers, 0);
    let clear: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events WHERE payload::text LIKE '%Customer 50%'")
            .fetch_one(&importing.events.pool)
            .await
            .expect("a count");
    assert_eq!(clear, 0, "a customer's name is sealed");
}

#[tokio::test]
async fn an_interrupted_import_goes_on_and_doubles_nothing() {
    let (importing, whole) = (Importing::new().await, Importing::new().await);
    let lines = many(300);
    let file = importing.file(&lines);
    let expected = whole.run(&whole.file(&lines), &[]).await;

    // Few at a time, so that it is in the middle when it is killed.
    let mut import = importing.begin(&file, &["--in-flight", "4"]);
    eventually(SOON, "some of it has happened", || async {
        (importing.position().await > 500).then_some(())
    })
    .await;
    import.kill();
    let killed_at = importing.position().await;
    let import = importing.begin(&file, &["--in-flight", "4"]);
    eventually(SOON, "more of it has happened", || async {
        (importing.position().await > killed_at + 500).then_some(())
    })
    .await;
    let mut import = import;
    import.terminate();
    assert_eq!(import.ended(SOON).await.code(), Some(130), "{}", import.output());

    let mut report = importing.run(&file, &[]).await;
    assert!(report["lines_before"].as_u64().expect("a number") > 0, "{report}");
    assert_eq!(importing.story().await, whole.story().await);
    let mut again = importing.run(&file, &[]).await;
    assert_eq!((&again["events"], &again["lines_before"]), (&0.into(), &again["lines"]));
    for same in ["lines", "imported", "rejected", "reasons", "sales", "refunds", "events_say", "sha256"] {
        assert_eq!(report[same].take(), expected[same], "{same}");
        assert_eq!(again[same].take(), expected[same], "{same}");
    }
}

#[tokio::test]
async fn a_slice_is_the_beginning_of_the_whole() {
    let (importing, whole) = (Importing::new().await, Importing::new().await);
    let lines = many(60);
    let file = importing.file(&lines);
    let slice = importing.run(&file, &["--lines", "50"]).await;
    // Line 50 is in the middle of an invoice, which is imported to its end.
    assert_eq!(slice["lines"], 51);
    let report = importing.run(&file, &[]).await;
    assert_eq!(report["sales"], whole.run(&whole.file(&lines), &[]).await["sales"]);
    assert_eq!(importing.story().await, whole.story().await);
}

#[tokio::test]
async fn a_slice_that_ends_between_the_lines_of_an_invoice_has_all_of_it() {
    let importing = Importing::new().await;
    let lines = "\
90001,20001,RED MUG,6,2010-12-01T08:26:00,2.55,501,United Kingdom
what is this
90001,20002,TIN,2,2010-12-01T08:26:00,1.25,501,United Kingdom
90002,20001,RED MUG,4,2010-12-01T09:00:00,2.55,501,United Kingdom
";
    let file = importing.file(lines);
    let slice = importing.run(&file, &["--lines", "2"]).await;
    assert_eq!((&slice["lines"], &slice["sales"]["money"]), (&3.into(), &"17.80".into()));
    let report = importing.run(&file, &[]).await;
    assert_eq!((&report["lines"], &report["sales"]["money"]), (&4.into(), &"28.00".into()));
}

#[tokio::test]
async fn an_import_can_be_stopped_while_it_compares_the_money() {
    let importing = Importing::new().await;
    let file = importing.file(&many(10));
    // Nobody keeps the read model, which is waited for.
    let mut import = importing.begin(&file, &[]);
    eventually(SOON, "every line has taken effect", || async {
        let done: Option<i64> = sqlx::query_scalar("SELECT lines_done FROM imports")
            .fetch_optional(&importing.events.pool)
            .await
            .expect("the table of imports");
        (done == Some(32)).then_some(())
    })
    .await;
    import.terminate();
    assert_eq!(import.ended(SOON).await.code(), Some(130), "{}", import.output());
    let again = importing.run(&file, &[]).await;
    assert_eq!((&again["events"], &again["lines_before"]), (&0.into(), &32.into()));
}

#[tokio::test]
async fn an_import_outlasts_an_outage_of_the_database() {
    let (mut importing, whole) = (Importing::new().await, Importing::new().await);
    let lines = many(300);
    let expected = whole.run(&whole.file(&lines), &[]).await;
    let options = PgConnectOptions::clone(&importing.events.pool.connect_options());
    let proxy = Proxy::to(([127, 0, 0, 1], options.get_port()).into()).await;
    let (server, through) = (format!(":{}/", options.get_port()), format!(":{}/", proxy.port));
    importing.events_url = importing.events.url.replace(&server, &through);

    let mut import = importing.begin(&importing.file(&lines), &["--in-flight", "4"]);
    eventually(SOON, "some of it has happened", || async {
        (importing.position().await > 500).then_some(())
    })
    .await;
    proxy.cut();
    eventually(SOON, "the outage is noticed", || async {
        import.output().contains("the database is away").then_some(())
    })
    .await;
    proxy.mend();
    let ended = import.ended(SOON).await;
    assert!(ended.success(), "{ended}: {}", import.output());
    assert_eq!(importing.story().await, whole.story().await);
    let report = importing.run(&importing.file(&lines), &[]).await;
    assert_eq!((&report["events"], &report["events_say"]), (&0.into(), &expected["events_say"]));
}

#[tokio::test]
async fn an_invoice_that_says_something_else_than_before_is_not_imported_over_it() {
    let importing = Importing::new().await;
    let line = "90001,20001,RED MUG,6,2010-12-01T08:26:00,2.55,501,United Kingdom\n";
    importing.run(&importing.file(line), &[]).await;
    let head = importing.position().await;
    let mut import = importing.begin(&importing.file(&line.replace(",6,", ",7,")), &[]);
    assert_eq!(import.ended(SOON).await.code(), Some(1));
    let output = import.output();
    assert!(output.contains("invoice 90001 was imported before with other content"), "{output}");
    assert_eq!(importing.position().await, head);
}

#[tokio::test]
async fn what_is_not_the_file_is_told_in_one_line() {
    let importing = Importing::new().await;
    let path = importing.folder.join("other.csv");
    std::fs::write(&path, "a,b,c\n1,2,3\n").expect("a file");
    for (path, told) in [(path, "does not begin with"), (importing.folder.join("none"), "cannot be read")] {
        let mut import = importing.begin(&path, &[]);
        assert_eq!(import.ended(SOON).await.code(), Some(1));
        let output = import.output();
        assert!(output.contains(told) && output.lines().count() == 1, "{output}");
    }
}

#[tokio::test]
async fn a_slice_of_the_real_file_is_imported_to_the_penny() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/online-retail.csv.xz");
    if !file.exists() {
        return skipped("a_slice_of_the_real_file_is_imported_to_the_penny", "real file beside the checkout");
    }
    let importing = Importing::new().await;
    let _projector = importing.start("daybook-projector", &["orders"]);
    let report = importing.run(&file, &["--lines", "3000"]).await;
    let number = |name: &str| report[name].as_u64().expect("a number");
    assert!(number("lines") >= 3_000, "{report}");
    assert_eq!(number("imported") + number("rejected"), number("lines"));
    assert_eq!(importing.rejects().len() as u64, number("rejected"));
    assert_eq!(report["sales"]["money"], "58309.51");
    for said in ["events_say", "read_model_says"] {
        assert_eq!(report[said]["captured"], report["sales"]["money"], "{said}: {report}");
        assert_eq!(report[said]["refunded"], report["refunds"]["money"], "{said}: {report}");
    }
}
