// Why a request of GraphQL is refused, and what to do about it.

extension GatewayRefusal {
  var graphQLRecord: RefusalRecord {
    switch self {
    case .graphQLMediaType:
      .init(
        415, .unknown,
        """
        The body is neither `application/json` nor `application/graphql` in UTF-8, or it is compressed, on a route with \
        `graphql`.
        """, advice: "Send `Content-Type: application/json`, and no `Content-Encoding`.")
    case .graphQLMethodNotAllowed:
      .init(
        405, .unimplemented, with: .allowGraphQL, "Another method than GET and POST, on a route with `graphql`.",
        advice: "Send documents by POST.")
    case .graphQLMutationByGet:
      .init(
        405, .unimplemented, with: .allowPost, "A mutation came by GET, which any link could send.",
        advice: "Send mutations by POST.")
    case .graphQLBatchTooLarge:
      .init(
        400, .internal, "The list has more requests than `batch` of `graphql`.",
        advice: "Send fewer requests at once, or raise `batch`.")
    case .graphQLDocumentInvalid:
      .init(
        400, .internal,
        """
        The document is not executable GraphQL: it breaks the grammar, defines types, names a fragment that is not \
        there, two of one name, or fragments that use each other in a circle.
        """, advice: "Correct the document. Those of other versions than September 2025 may have other grammar.")
    case .graphQLOperationUnknown:
      .init(
        400, .internal, "The document has no operation of that `operationName`, or several and none was named.",
        advice: "Send the name of one of the document's operations.")
    case .graphQLTooDeep:
      .init(
        400, .internal, "Fields are nested deeper than `max_depth` of `graphql`.",
        advice: "Ask for less at once, or raise `max_depth`.")
    case .graphQLTooManyAliases:
      .init(
        400, .internal, "There are more aliases than `max_aliases` of `graphql`, fragments written out.",
        advice: "Ask for less at once, or raise `max_aliases`.")
    case .graphQLTooManyRootFields:
      .init(
        400, .internal,
        "There are more fields at the top than `max_root_fields` of `graphql`, fragments written out.",
        advice: "Ask for less at once, or raise `max_root_fields`.")
    case .graphQLTooManyTokens:
      .init(
        400, .internal, "The document has more tokens than `max_tokens` of `graphql`.",
        advice: "Ask for less at once, or raise `max_tokens`.")
    case .graphQLIntrospectionRefused:
      .init(
        403, .permissionDenied, "The document asks for the schema, and `introspection` of `graphql` is off.",
        advice: "Take the schema from its source, or write `introspection: { scopes: [NAME] }`.")
    case .graphQLPersistedUnknown:
      .init(
        400, .internal,
        "The request has a hash in place of its document, and the hash is not in the file of `persisted`.",
        advice: "Send the document along, as clients do that get this message. Or add it to the file.")
    case .graphQLNotPersisted:
      .init(
        403, .permissionDenied, "The document is not in the file of `persisted`, whose `only` is true.",
        advice: "Add the document to the file.")
    default:
      .init(
        400, .internal,
        """
        The request is not one of GraphQL over HTTP. Its JSON is broken or has a member twice or of another name, or a \
        parameter of the query is there twice or in another spelling. Also where a POST has parameters of GraphQL in \
        its query, and where the hash is not that of the document.
        """, advice: "Send `query`, `operationName`, `variables` and `extensions` once, in the body of a POST.")
    }
  }
}
