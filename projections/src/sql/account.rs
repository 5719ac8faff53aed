//! The account that a projection is run as: it owns the projection's schema and may do nothing else in the database.
//! It has a connection of its own; an account that was only put on could be taken off again by a statement.

use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, Row};

use super::error::SqlError;
use super::file::Projection;
use super::state::{self, Place};

/// How long the read database may take to accept a connection, or to do what takes no time.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long the server may take to notice that a run has died, and how often it is asked meanwhile.
const DYING: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);
/// How long readers may take to let go of what is replaced.
const LETTING_GO: Duration = Duration::from_mins(1);
/// `lock_not_available`.
const LOCKED: &str = "55P03";

/// What the statements of a projection may use. They keep a mistake from being a burden to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long one statement may take.
    pub statement: Duration,
    /// How many megabytes a sort or a hash table of one may have in memory, before it goes on on disk.
    pub memory_mb: u32,
    /// How many megabytes it may write to temporary files. Only a superuser can have this one observed.
    pub temporary_mb: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { statement: Duration::from_mins(1), memory_mb: 64, temporary_mb: 4_096 }
    }
}

/// The account, held by one run at a time.
pub(super) struct Account {
    /// What may make schemas and roles. It holds the lock as long as it lives.
    owner: PgConnection,
    role: String,
    options: PgConnectOptions,
}

impl Account {
    /// Makes the account if it is not there, with a password that nobody else knows.
    ///
    /// # Errors
    /// [`SqlError::UnderWay`] when another run of the projection has it.
    pub(super) async fn take(
        read: &PgPool,
        projection: &Projection,
        limits: &Limits,
    ) -> Result<Self, SqlError> {
        let options = PgConnectOptions::clone(&read.connect_options());
        let mut owner = bounded(options.connect()).await?;
        let title = projection.title();
        lock(&mut owner, &format!("daybook sql projection {title}"), &title).await?;
        let role = make(&mut owner, projection, limits).await?;
        // What a run that was killed has left running is nobody's any more, and holds what this one needs.
        let left = sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1");
        bounded(left.bind(&role).execute(&mut owner)).await?;
        let password = password();
        let statement = format!("ALTER ROLE {role} PASSWORD '{password}'");
        bounded(owner.execute(statement.as_str())).await?;
        let options = options.username(&role).password(&password).options(settings(limits));
        Ok(Self { owner, role, options })
    }

    /// The role's name.
    pub(super) fn role(&self) -> &str {
        &self.role
    }

    /// A connection of the account, which finds names in this schema.
    pub(super) async fn connect(&self, schema: &str) -> Result<PgConnection, SqlError> {
        let options = self.options.clone().options([("search_path", schema)]);
        bounded(options.connect()).await
    }

    /// Makes a schema of the account, in place of what was there.
    pub(super) async fn make_schema(&mut self, schema: &str) -> Result<(), SqlError> {
        let role = &self.role;
        let statements =
            format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema} AUTHORIZATION {role}");
        bounded(self.owner.execute(statements.as_str())).await?;
        Ok(())
    }

    /// Gives a schema another name, in place of what had it, as long as that is still what was found there.
    ///
    /// # Errors
    /// [`SqlError::NotOurs`] when something else has the name now, [`SqlError::TimedOut`] when readers would not let go of
    /// what had it.
    pub(super) async fn rename_schema(&mut self, from: &str, to: &str, found: Place) -> Result<(), SqlError> {
        let until = Instant::now() + LETTING_GO;
        loop {
            match self.try_rename(from, to, found).await {
                Err(SqlError::Database(error)) if is_locked(&error) && Instant::now() < until => {
                    tokio::time::sleep(LOOK).await;
                }
                Err(SqlError::Database(error)) if is_locked(&error) => return Err(SqlError::TimedOut),
                other => return other,
            }
        }
    }

    async fn try_rename(&mut self, from: &str, to: &str, found: Place) -> Result<(), SqlError> {
        let mut tx = bounded(self.owner.begin()).await?;
        // Who waits for readers keeps new ones waiting, so it does not wait long.
        bounded(tx.execute("SET LOCAL lock_timeout = '500ms'")).await?;
        if bounded(state::place(&mut tx, to, &self.role)).await? != found {
            return Err(SqlError::NotOurs(to.to_owned()));
        }
        let statements = format!("DROP SCHEMA IF EXISTS {to} CASCADE; ALTER SCHEMA {from} RENAME TO {to}");
        bounded(tx.execute(statements.as_str())).await?;
        bounded(tx.commit()).await
    }

    /// What there is in the place of a schema.
    pub(super) async fn place(&mut self, schema: &str) -> Result<Place, SqlError> {
        bounded(state::place(&mut self.owner, schema, &self.role)).await
    }

    /// Makes sure that no other run is to have this schema, as long as this one has it.
    pub(super) async fn reserve(&mut self, schema: &str) -> Result<(), SqlError> {
        lock(&mut self.owner, &format!("daybook sql schema {schema}"), schema).await
    }

    /// Ends what a connection of the account is doing.
    pub(super) async fn end(&mut self, backend: i32) -> Result<(), SqlError> {
        let end = sqlx::query("SELECT pg_terminate_backend($1)").bind(backend).execute(&mut self.owner);
        bounded(end).await.map(drop)
    }

    /// Takes a schema away, and the account with it when that was all it had.
    pub(super) async fn discard(mut self, schema: &str) -> Result<(), SqlError> {
        let statement = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        bounded(self.owner.execute(statement.as_str())).await?;
        let owns = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE r.rolname = $1)",
        )
        .bind(&self.role);
        if !bounded::<bool>(owns.fetch_one(&mut self.owner)).await? {
            let role = &self.role;
            let statements = format!("DROP OWNED BY {role}; DROP ROLE {role}");
            bounded(self.owner.execute(statements.as_str())).await?;
        }
        self.release().await
    }

    /// Lets another run have it, at once; dropped, it takes the server a moment to find out.
    pub(super) async fn release(mut self) -> Result<(), SqlError> {
        bounded(self.owner.execute("SELECT pg_advisory_unlock_all()")).await?;
        bounded(self.owner.close()).await
    }
}

/// Takes a lock, or says what is under way. Of a run that was just killed the server may not know yet.
async fn lock(owner: &mut PgConnection, name: &str, what: &str) -> Result<(), SqlError> {
    let until = Instant::now() + DYING;
    loop {
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))").bind(name);
        if bounded(lock.fetch_one(&mut *owner)).await? {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(SqlError::UnderWay(what.to_owned()));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a lock was not to be had in time.
fn is_locked(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == LOCKED)
}

/// Makes the role, if it is not there; its name, which no other database of the cluster has a role of.
async fn make(
    owner: &mut PgConnection,
    projection: &Projection,
    limits: &Limits,
) -> Result<String, SqlError> {
    let may = sqlx::query(
        "SELECT d.oid::bigint, r.rolsuper, r.rolsuper OR r.rolcreaterole,
                has_database_privilege(d.oid, 'CREATE'), d.datname
         FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user",
    );
    let may = bounded(may.fetch_one(&mut *owner)).await?;
    let (database, superuser): (i64, bool) = (may.try_get(0)?, may.try_get(1)?);
    if !may.try_get::<bool, _>(2)? {
        return Err(SqlError::NotAllowed("create roles"));
    }
    if !may.try_get::<bool, _>(3)? {
        return Err(SqlError::NotAllowed("create schemas in its database"));
    }
    let role = format!("daybook_{database}_{}_v{}", projection.name, projection.version);
    let known = sqlx::query("SELECT FROM pg_roles WHERE rolname = $1").bind(&role);
    let verb = if bounded(known.fetch_optional(&mut *owner)).await?.is_some() { "ALTER" } else { "CREATE" };
    let mut statements =
        format!("{verb} ROLE {role} LOGIN NOINHERIT CONNECTION LIMIT 4; GRANT {role} TO CURRENT_USER;");
    if superuser {
        let limit = limits.temporary_mb;
        statements = format!("{statements} ALTER ROLE {role} SET temp_file_limit = '{limit}MB'");
    }
    bounded(owner.execute(statements.as_str())).await?;
    let lacks = sqlx::query_scalar(
        "SELECT quote_ident($2) FROM unnest(ARRAY['CONNECT', 'TEMP']) AS may
         WHERE NOT has_database_privilege($1, $2, may) LIMIT 1",
    )
    .bind(&role)
    .bind(may.try_get::<String, _>(4)?);
    if let Some(database) = bounded::<Option<String>>(lacks.fetch_optional(&mut *owner)).await? {
        let grant = format!("GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}");
        bounded(owner.execute(grant.as_str())).await?;
    }
    Ok(role)
}

/// What a connection of the account is set to, so that the same events give the same rows.
fn settings(limits: &Limits) -> Vec<(&'static str, String)> {
    let fixed = [
        ("timezone", "UTC"),
        ("datestyle", "ISO"),
        ("intervalstyle", "postgres"),
        ("extra_float_digits", "1"),
        ("bytea_output", "hex"),
        ("xmloption", "content"),
        ("default_transaction_isolation", "read\\ committed"),
        ("synchronize_seqscans", "off"),
        ("max_parallel_workers_per_gather", "0"),
        ("jit", "off"),
        // What a crash loses, the next run does again.
        ("synchronous_commit", "off"),
        ("idle_in_transaction_session_timeout", "5min"),
        ("plan_cache_mode", "auto"),
    ];
    let limits = [
        ("statement_timeout", format!("{}ms", limits.statement.as_millis())),
        ("work_mem", format!("{}MB", limits.memory_mb)),
        ("temp_buffers", "64MB".to_owned()),
    ];
    fixed.map(|(name, value)| (name, value.to_owned())).into_iter().chain(limits).collect()
}

/// 32 random bytes in hexadecimal.
fn password() -> String {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The outcome of what takes no time, or [`SqlError::TimedOut`].
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, SqlError> {
    Ok(tokio::time::timeout(PATIENCE, call).await.map_err(|_elapsed| SqlError::TimedOut)??)
}
