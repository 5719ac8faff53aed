// Starts GraphiQL against this server. A token goes into the "Headers" tab: {"Authorization": "Bearer …"}.
const socket = location.protocol.replace("http", "ws") + "//" + location.host + "/graphql";
const fetcher = GraphiQL.createFetcher({ url: "/graphql", subscriptionUrl: socket });
const defaultQuery = "# Welcome to Daybook.\n{\n  products(first: 5) {\n    nodes { id title }\n    totalCount\n  }\n}\n";
ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, defaultQuery }),
);
