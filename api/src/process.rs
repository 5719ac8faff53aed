//! The life of a `daybook-api` process: put together from its configuration, serving until it is told to stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use daybook_commands::ShopConfig;
use daybook_eventstore::process::config::{ConfigError, Secret, Settings, keys};
use daybook_eventstore::process::{self, Context, Failure, ops};
use tokio::net::TcpListener;

use crate::auth::Tokens;
use crate::graphql::{Services, schema, sdl};
use crate::http::{Api, Limits, Webhooks, router};

/// Where clients are served when the configuration does not say.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What the process needs.
struct Config {
    shop: ShopConfig,
    tokens: Tokens,
    webhook_secret: Secret<String>,
    listen: SocketAddr,
    /// Whether operators are answered at another address.
    ops_elsewhere: bool,
}

impl Config {
    fn load(settings: &Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            shop: ShopConfig::load(settings)?,
            tokens: Tokens::new(settings.required(keys::TOKEN_KEY)?.expose()),
            webhook_secret: settings.required(keys::WEBHOOK_SECRET)?,
            listen: settings.or(keys::LISTEN, LISTEN)?,
            ops_elsewhere: settings.optional(keys::OPS_LISTEN)?.is_some(),
        })
    }
}

/// Runs the process. With `--print-schema` it writes the schema and ends.
pub fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--print-schema") {
        return print_schema();
    }
    process::run("daybook-api", Config::load, serve)
}

#[expect(clippy::print_stdout, reason = "it was asked to print")]
fn print_schema() -> ExitCode {
    print!("{}", sdl());
    ExitCode::SUCCESS
}

async fn serve(config: Config, context: Context) -> Result<(), Failure> {
    let open = config.shop.open(&context);
    let webhooks = Webhooks::new(open.shop.clone(), config.webhook_secret);
    let services = Services { shop: open.shop };
    let api = Api::new(schema(services), config.tokens, context.ids.clone(), Limits::default());
    let mut routes = router(api, webhooks);
    if !config.ops_elsewhere {
        routes = routes.merge(ops::router(context.readiness.clone(), context.metrics.clone()));
    }
    let listener = TcpListener::bind(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "serving clients");
    axum::serve(listener, routes).with_graceful_shutdown(context.shutdown.cancelled_owned()).await?;
    Ok(())
}
