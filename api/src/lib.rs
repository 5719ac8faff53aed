//! The front: GraphQL over HTTP and WebSocket, webhooks in, health and metrics.
