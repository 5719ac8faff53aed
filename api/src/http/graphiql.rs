//! The `GraphiQL` page, served whole from this binary: the page asks no other server for anything.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::get;

/// What the page may load and connect to: this server only. Its editor needs inline styles and fonts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; \
     img-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page and what it is made of. The large files are kept and sent compressed, which every browser reads.
pub(super) fn routes() -> Router {
    let page = include_bytes!("../../assets/graphiql.html");
    let boot = include_bytes!("../../assets/boot.js");
    let react = include_bytes!("../../assets/react.production.min.js.gz");
    let react_dom = include_bytes!("../../assets/react-dom.production.min.js.gz");
    let script = include_bytes!("../../assets/graphiql.min.js.gz");
    let style = include_bytes!("../../assets/graphiql.min.css.gz");
    Router::new()
        .route("/graphiql", get(|| async { file(page, "text/html; charset=utf-8", false) }))
        .route("/graphiql/boot.js", get(|| async { file(boot, JAVASCRIPT, false) }))
        .route("/graphiql/react.js", get(|| async { file(react, JAVASCRIPT, true) }))
        .route("/graphiql/react-dom.js", get(|| async { file(react_dom, JAVASCRIPT, true) }))
        .route("/graphiql/graphiql.js", get(|| async { file(script, JAVASCRIPT, true) }))
        .route("/graphiql/graphiql.css", get(|| async { file(style, "text/css; charset=utf-8", true) }))
}

fn file(bytes: &'static [u8], content_type: &'static str, compressed: bool) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    if compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
