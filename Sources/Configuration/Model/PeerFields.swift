// The fields in which proxies describe clients and requests to servers behind them. From anybody else they are lies,
// and servers believe them all the same (T37, T38, T47, T78, T96).

/// Names as `FieldNameSet` takes them, which finds them in every spelling.
package enum PeerFields {
  /// What nobody has a reason to send: CGI makes HTTP_PROXY of it, which programs take for the proxy of their own
  /// requests.
  package static let never = ["proxy"]

  /// Another method or path than those that a route was chosen by: nobody is believed who sends these.
  package static let overrides = [
    "x-http-method-override", "x-method-override", "x-http-method", "x-original-url", "x-rewrite-url",
  ]

  /// Whom a request is from, how it came, and what it asked for before a proxy changed it.
  package static let forwarding = [
    "forwarded", "x-forwarded", "x-forwarded-*", "x-original-*",
    // Addresses.
    "x-real-ip", "client-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "cf-connecting-ip",
    "cf-connecting-ipv6", "fastly-client-ip",
    // Certificates (RFC 9440, and what nginx, HAProxy and load balancers use).
    "client-cert", "client-cert-chain", "x-ssl-client*", "x-client-cert*", "x-amzn-mtls-*",
    "x-arr-clientcert",
  ]
}
