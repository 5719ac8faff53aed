//! That the repository has the shape it says it has. Nothing here needs a server.

mod corpus;
mod documents;
mod edges;
mod event_catalogue;
mod graphql_schema;
mod length;
mod workspace;
