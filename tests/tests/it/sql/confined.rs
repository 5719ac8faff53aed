//! A projection may do nothing outside its schema, whatever its statements say.

use daybook_projections::sql::{Request, SqlError};

use sqlx::Executor as _;

use super::{COUNTING, Setting};

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_reads_and_writes_nothing_but_its_own() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let another = COUNTING.replace("counting", "another");
    let schema = Some("another".to_owned());
    setting.run(&another, Request { schema, ..Request::default() }).await.expect("another is there");
    for (statement, refused) in [
        ("DELETE FROM public.projections", "permission denied for table projections"),
        ("UPDATE public.notary SET position = 0", "permission denied for table notary"),
        (
            "INSERT INTO counting SELECT 1, count(*), 1 FROM public.projections",
            "permission denied for table projections",
        ),
        (
            "INSERT INTO counting SELECT 1, things, 1 FROM another.another",
            "permission denied for schema another",
        ),
        ("INSERT INTO counting SELECT 1, 1, 1 FROM live.orders", "permission denied for schema live"),
        (
            "INSERT INTO counting SELECT 1, count(*), 1 FROM pg_authid",
            "permission denied for table pg_authid",
        ),
        (
            "INSERT INTO counting SELECT length(pg_read_file('/etc/passwd')), 1, 1",
            "\"pg_read_file\" is not for projections",
        ),
        (
            "WITH x AS (DELETE FROM another.another RETURNING 1) DELETE FROM counting",
            "permission denied for schema another",
        ),
    ] {
        let source = format!("{COUNTING}{statement};\n");
        let failed = setting.run(&source, Request::default()).await.expect_err(statement);
        let told = failed.to_string();
        assert!(told.starts_with("line 12") && told.contains(refused), "{statement}: {told}");
    }
    assert_eq!(setting.table("another.another").await.len(), 3, "nothing has happened to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_cannot_become_somebody_else_or_end_its_transaction() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    for (statement, told) in [
        (
            "INSERT INTO counting SELECT length(set_config('role', 'postgres', false)), 1, 1",
            "\"set_config\" is not for projections",
        ),
        // What is not seen when the file is read is refused when it is run.
        (
            "INSERT INTO counting SELECT length(query_to_xml('RESET ROLE', true, true, '')::text), 1, 1",
            "not for projections",
        ),
        ("INSERT INTO counting SELECT 1, 1, 1; COMMIT", "and nothing else"),
    ] {
        let source = format!("{COUNTING}{statement};\n");
        let known = ["ThingHappened"];
        let failed = match daybook_projections::sql::Projection::parse(&source, &known) {
            Err(error) => SqlError::from(error),
            Ok(_) => setting.run(&source, Request::default()).await.expect_err(statement),
        };
        assert!(failed.to_string().contains(told), "{statement}: {failed}");
    }
    // Its session is its own, so there is nobody to become.
    let mut session = setting.open(COUNTING, Request::default()).await.expect("it begins");
    let role = session.role().to_owned();
    assert!(role.starts_with("daybook_") && role.ends_with("_counting_v1"), "{role}");
    let may: Vec<bool> = sqlx::query_scalar(
        "SELECT unnest(ARRAY[rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolinherit,
             pg_has_role(rolname, current_user, 'MEMBER')]) FROM pg_roles WHERE rolname = $1",
    )
    .bind(&role)
    .fetch_all(&setting.read.pool)
    .await
    .expect("the role is there");
    assert_eq!(may, [false; 7]);
    session.build(3, &tokio_util::sync::CancellationToken::new(), |_| {}).await.expect("it runs");
    session.finish().await.expect("it ends");
    assert_eq!(setting.left().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_make_roles_is_told_so() {
    let setting = Setting::new().await;
    let name = crate::harness::unique("weak");
    for statement in [format!("CREATE ROLE {name} LOGIN PASSWORD 'weak'")] {
        sqlx::query(&statement).execute(&setting.read.pool).await.expect("a role");
    }
    let options = sqlx::postgres::PgConnectOptions::clone(&setting.read.pool.connect_options());
    let weak = sqlx::PgPool::connect_lazy_with(options.username(&name).password("weak"));
    let opened = daybook_projections::sql::Session::open(
        setting.log(),
        daybook_eventstore::Upcasters::default(),
        &weak,
        super::parse(COUNTING),
        Request::default(),
    );
    let told = opened.await.err().expect("it is refused").to_string();
    let drop = format!("DROP ROLE {name}");
    sqlx::query(&drop).execute(&setting.read.pool).await.expect("the role goes");
    assert_eq!(told, "the account of DAYBOOK_READ_URL may not create roles");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_make_roles_and_schemas_and_no_more_will_do() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let name = crate::harness::unique("owner");
    for statement in [
        format!("CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'owner'"),
        format!(
            "DO $$ BEGIN EXECUTE 'GRANT CREATE ON DATABASE ' || current_database() || ' TO {name}'; END $$"
        ),
    ] {
        sqlx::query(&statement).execute(&setting.read.pool).await.expect("a role");
    }
    let options = sqlx::postgres::PgConnectOptions::clone(&setting.read.pool.connect_options());
    let owner = sqlx::PgPool::connect_lazy_with(options.username(&name).password("owner"));
    let request = Request { schema: Some("kept".to_owned()), ..Request::default() };
    let opened = daybook_projections::sql::Session::open(
        setting.log(),
        daybook_eventstore::Upcasters::default(),
        &owner,
        super::parse(COUNTING),
        request,
    );
    let mut session = opened.await.expect("it begins");
    session.build(3, &tokio_util::sync::CancellationToken::new(), |_| {}).await.expect("it runs");
    session.settle().await.expect("it is put in its place");
    session.finish().await.expect("it ends");
    let seen: i64 = sqlx::query_scalar("SELECT sum(things)::bigint FROM kept.counting")
        .fetch_one(&owner)
        .await
        .expect("it reads");
    assert_eq!(seen, 3);
    let drop = format!("DROP OWNED BY {name} CASCADE; DROP SCHEMA kept CASCADE");
    sqlx::raw_sql(&drop).execute(&setting.read.pool).await.expect("what it had goes");
    let roles = setting.left().await;
    for role in roles.iter().chain([&name]) {
        let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        sqlx::raw_sql(&drop).execute(&setting.read.pool).await.expect("the role goes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_left_is_read_as_the_account_that_it_belongs_to() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let request = || Request { schema: Some("kept".to_owned()), ..Request::default() };
    setting.run(COUNTING, request()).await.expect("it runs");
    // As if a statement had found a way to put something of its own in the place of what the next run reads.
    let role = setting.left().await.into_iter().find(|name| name.starts_with("daybook_")).expect("the role");
    let trap = format!(
        "CREATE FUNCTION kept.who() RETURNS bytea LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO kept.seen VALUES (current_user); RETURN '\\x00'; END $$;
         CREATE TABLE kept.seen (account text);
         ALTER TABLE kept.daybook_run ALTER digest DROP NOT NULL;
         ALTER TABLE kept.daybook_run ENABLE ROW LEVEL SECURITY;
         ALTER TABLE kept.daybook_run FORCE ROW LEVEL SECURITY;
         CREATE POLICY trap ON kept.daybook_run USING (kept.who() IS NOT NULL);
         ALTER TABLE kept.seen OWNER TO {role}; ALTER FUNCTION kept.who OWNER TO {role}"
    );
    setting.read.pool.execute(trap.as_str()).await.expect("a trap");
    setting.run(COUNTING, request()).await.expect("it goes on");
    let seen = setting.table("kept.seen").await;
    assert!(!seen.is_empty() && seen.iter().all(|account| *account == format!("({role})")), "{seen:?}");
}
