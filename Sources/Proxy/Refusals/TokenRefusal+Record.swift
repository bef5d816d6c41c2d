// What the gateway answers to a token that may not pass (RFC 6750 §3.1): 401 for a bad one, 403 for a good one that may
// not pass here, 503 while nobody can tell.

package import Tokens

extension TokenRefusal {
  package var record: RefusalRecord {
    switch self {
    case .tokenMissing:
      .init(
        401, .unauthenticated, challenge: .bearer, "The request has no token where the route looks for one.",
        advice: "Log in, and send the token where `tokens_from` says. By default that is `Authorization: Bearer`.")
    case .schemeNotBearer:
      .init(
        401, .unauthenticated, challenge: .bearer,
        """
        `Authorization` does not begin with `Bearer`, as when the token is sent alone, and there is no token anywhere \
        else.
        """,
        advice: "Send `Authorization: Bearer TOKEN`: the word `Bearer`, a space, and the token.")
    case .tokenAmbiguous:
      .invalidToken(
        "The request has two tokens, in one place or in two, or the cookie of a session twice.",
        advice: "Send one token, in one place.")
    case .tokenMalformed:
      .invalidToken(
        """
        Not a compact JWS of three strict base64url parts with two JSON objects. Also duplicate members, bad UTF-8, \
        too much nesting, `b64`, or `Authorization` in which something other than a space follows `Bearer`. On a route \
        with `basic`, also what is not base64 of a name, a colon and a password.
        """, advice: "Send the access token exactly as the issuer gave it. Opaque and encrypted tokens do not pass.")
    case .tokenTooLarge:
      .invalidToken(
        "Longer than `limits.token_size`.",
        advice: "Have the issuer put fewer claims into the token, or raise `limits.token_size`.")
    case .criticalHeaderUnknown:
      .invalidToken(
        "The token's header has `crit`.", advice: "Have the issuer leave `crit` out: no extension is understood.")
    case .typeNotAllowed:
      .invalidToken(
        "`typ` is not one of `token_types`, or names a token for another purpose (logout, DPoP, ID token …).",
        advice: "Send the access token, not the ID token. Otherwise add the type to the issuer's `token_types`.")
    case .algorithmNotAllowed:
      .invalidToken(
        "`alg` is `none`, unknown, or not on the issuer's list.",
        advice: "Compare the token's `alg` with the issuer's `algorithms`. `catraca token inspect` shows it.")
    case .issuerUnknown:
      .invalidToken(
        "`iss` is missing or not one of the route's issuers, or names a tenant that is not listed or not the token's.",
        advice: "Compare `iss` with `issuer`, byte by byte: a slash at the end counts. Check the route's `auth`.")
    case .keyUnknown:
      .invalidToken(
        """
        The issuer has no key with this `kid` (or `x5t`) that fits `alg`. Without either, no key fits, or more than \
        four do. In the log also for a WebSocket (4401) or stream that ended because its key was withdrawn.
        """, advice: "Log in again. If it stays, compare the token's `kid` with the issuer's key set (JWKS).")
    case .keysUnavailable:
      .init(
        503, .unavailable, with: .retryWithKeys,
        """
        The issuer's keys have not been fetched yet, or were withdrawn after `stale`, or 10,000 requests wait for a \
        new key. With `Retry-After: 5`: the issuer is asked again within that time.
        """,
        advice: "Look in the gateway's log for why the fetch of the key set fails, then check the issuer's address.")
    case .introspectionUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        """
        The issuer did not say whose an opaque token is: not in time, not as RFC 7662 has it, or `concurrency` is used up. \
        With `Retry-After`. After five failures in a row a worker asks it once a second only.
        """,
        advice: "Look in the gateway's log. With `status 401`, check `client_id` and `client_secret`.")
    case .tokenInactive:
      .invalidToken(
        "The issuer knows no such opaque token, or it has ended or was revoked (`active: false`).",
        advice: "Log in again. Check that the token is of this issuer.")
    case .tokenRevoked:
      .invalidToken(
        """
        The issuer has taken the token back: its `denylist` names it, or its status list says something else than valid, or \
        ends before the token's index. In the log also for a WebSocket (4401) or stream whose token was revoked.
        """,
        advice: "Log in again.")
    case .revocationUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        """
        The issuer has `revocation`, and nobody knows which of its tokens are revoked: there was no good list yet, or the \
        last one is older than `stale`. With `Retry-After`. `unavailable: pass` lets such tokens pass.
        """,
        advice: "Look in the gateway's log for why the list cannot be read, or in `/status`.")
    case .sessionMissing:
      .init(
        401, .unauthenticated, challenge: .bearer,
        "The route takes sessions, and the request has neither a token nor the cookie of one.",
        advice: "Begin a session at the path of its `exchange`. Have the page send cookies (`credentials: include`).")
    case .sessionExpired:
      .init(
        401, .unauthenticated, challenge: .bearer,
        """
        The session has ended, was never there, or belongs to another gateway. `Set-Cookie` takes the cookie back. In \
        the log also for a WebSocket (4401) or stream of a session that was ended.
        """,
        advice: "Begin a new session. With `store: memory` all end when the gateway does.")
    case .apiKeyMissing:
      .init(
        401, .unauthenticated, challenge: .bearer,
        "The route takes API keys, and the request has none where they are looked for.",
        advice: "Send the key where `from` of `api_keys` says. By default that is the header `X-Api-Key`.")
    case .apiKeyInvalid:
      .init(
        401, .unauthenticated, challenge: .bearer,
        """
        The key is none of the route's, or not the one of the name beside it in `basic`. In the log also for a WebSocket \
        (4401) or stream whose key was removed.
        """,
        advice: "`catraca key check` finds a key that was mistyped. Compare its hash with the entries.")
    case .apiKeyExpired:
      .init(
        401, .unauthenticated, challenge: .bearer, "The key was good, and its `expires` has come.",
        advice: "Make a new one with `catraca key new`, and write its entry beside the old one.")
    case .apiKeyStoreUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        "The store of the API keys did not answer in time, or too many unknown keys are looked for. `Retry-After` is 1.",
        advice: "Send the request again.")
    case .sessionStoreUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        "The store of the sessions did not answer in time, or has no room. The cookie stays, and `Retry-After` is 1.",
        advice: "Send the request again.")
    case .signatureInvalid:
      .invalidToken(
        "The signature does not match the token and the key.",
        advice: "Send the token unchanged. Check that the issuer's key set is that of the token's environment.")
    case .tokenExpired:
      .invalidToken("`exp` and `leeway` have passed.", advice: "Refresh the token. Check the clocks of both machines.")
    case .tokenNotYetValid:
      .invalidToken(
        "`nbf` or `iat` is ahead by more than `leeway`.", advice: "Synchronize the clocks, or raise `leeway`.")
    case .tokenTooOld:
      .invalidToken("Older than `max_age`.", advice: "Log in again, or raise the issuer's `max_age`.")
    case .claimInvalid:
      .invalidToken(
        "A registered claim has the wrong type or no sensible value.",
        advice: "Have the issuer send `exp`, `nbf` and `iat` as numbers, `sub` and `aud` as text.")
    case .audienceMismatch:
      .invalidToken(
        "Neither one of `audiences` nor the route's `resource` is in `aud`.",
        advice: "Request the token for this API, or add its `aud` to the issuer's `audiences`.")
    case .claimMissing:
      .invalidToken(
        "One of `required_claims` is absent.", advice: "Have the issuer add the claim, or take it off the list.")
    case .scopeMissing:
      .init(
        403, .permissionDenied, challenge: .insufficientScopeOfRoute,
        "The token is good but lacks one of the route's `scopes`.",
        advice: "Request the token with the scopes that `WWW-Authenticate` names.")
    case .claimMismatch:
      .init(
        403, .permissionDenied, challenge: .insufficientScope,
        "The token is good but one of the route's `claims` does not match.",
        advice: "Give the caller the role or group at the issuer, or correct the route's `claims`.")
    case .authenticationInsufficient:
      .init(
        401, .unauthenticated, challenge: .insufficientAuthenticationOfRoute,
        "The session is good, but its person has not signed in in the way that `acr` of the route's `claims` requires.",
        advice: "Open a page of the route, which leads to the provider, or the login's `start` with `acr_values`.")
    case .proofMissing:
      .init(
        401, .unauthenticated, challenge: .boundToken,
        """
        The token is bound to its sender, and the request does not show by whom it is sent: it has the scheme `Bearer`, no \
        `DPoP` field, or not the client certificate that the token names. Or the route demands a bound token (`proof`).
        """,
        advice: "Send `Authorization: DPoP TOKEN` with a proof, or the token over a connection with its certificate.")
    case .proofInvalid:
      .init(
        401, .unauthenticated, challenge: .invalidProof,
        """
        The proof in `DPoP` is not one of this method, URL, token, key and time, or there are two. Also `DPoP` as the \
        scheme of a token that is not bound, and a token whose `cnf` says something else than `jkt` or `x5t#S256`.
        """,
        advice:
          "The gateway's log says which check failed. Behind a proxy, check `trusted_proxies`, so that the URL fits.")
    case .proofReplayed:
      .init(
        401, .unauthenticated, challenge: .invalidProof, "The proof was shown before. Each counts once.",
        advice: "Make a new proof, with a new `jti`, for each request, also for one that is sent again.")
    case .proofNonceDemanded:
      .init(
        401, .unauthenticated, challenge: .proofNonce,
        "The issuer has `dpop: { nonce: true }`, and the proof has no nonce, or an old one. `DPoP-Nonce` has a new one.",
        advice: "Make a new proof with the `nonce` of `DPoP-Nonce`. Libraries for DPoP do that by themselves.")
    case .proofsUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        "Nobody can tell whether the proof was shown before: the memory for proofs is full. With `Retry-After`.",
        advice: "Raise `limits.replay_memory`, or shorten the issuer's `dpop: { window }`.")
    case .tokenBound:
      .init(
        403, .permissionDenied,
        "The token is bound to its sender, and a session that began with it could be used by anybody who has its cookie.",
        advice: "Send the token itself, with a proof, or begin the session with a token that is not bound.")
    }
  }
}

extension RefusalRecord {
  fileprivate static func invalidToken(_ sentence: StaticString, advice: StaticString) -> RefusalRecord {
    RefusalRecord(401, .unauthenticated, challenge: .invalidToken, sentence, advice: advice)
  }
}
