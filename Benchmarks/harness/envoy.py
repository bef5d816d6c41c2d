"""Envoy as a proxy: its configuration as a value that JSON can be made of."""

import json

from task import IDLE_SECONDS

EXTENSIONS = "type.googleapis.com/envoy.extensions"


def envoy(setup, folder, port, _, caches_tokens=False, provider=None):
    """`provider` is the port of an OpenID provider: people sign in there, and their tokens are in sealed cookies."""
    if setup.gzip:
        return None  # Its compressor is a filter of its own, which nothing else here needs.
    resources = {
        "listeners": [_listener(setup, folder, port, caches_tokens, provider)],
        "clusters": [_cluster("app", setup.server_addresses(), setup.grpc)]}
    if provider:
        resources["clusters"].append(_cluster("provider", [f"127.0.0.1:{provider}"]))
        resources["secrets"] = [
            {"name": name, "generic_secret": {"secret": {"inline_string": "0123456789abcdef0123456789abcdef"}}}
            for name in ("client", "cookies")]
    return json.dumps({"static_resources": resources})


def _address(port, host="127.0.0.1"):
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _cluster(name, addresses, is_http2=False):
    protocol = "http2_protocol_options" if is_http2 else "http_protocol_options"
    limits = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    return {
        "name": name, "type": "STATIC", "connect_timeout": "2s", "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": name, "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": _address(port, host)}}
                for host, port in (address.split(":") for address in addresses)]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {protocol: {}}}},
    }


def _listener(setup, folder, port, caches_tokens, provider):
    target = {"cluster": "app"}
    manager = {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "proxy", "codec_type": "AUTO", "use_remote_address": True,
        "stream_idle_timeout": f"{IDLE_SECONDS}s", "request_headers_timeout": "10s",
        "common_http_protocol_options": {"idle_timeout": f"{IDLE_SECONDS}s"},
        "route_config": {
            "name": "all",
            "request_headers_to_add": [{
                "header": {"key": "x-forwarded-host", "value": "%REQ(:AUTHORITY)%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": path}, "route": target} for path in [*setup.service_paths(), "/"]]}]},
        "http_filters": [
            *([_sign_in(provider)] if provider else []),
            *(_token_filters(setup.tokens, caches_tokens) if setup.tokens else []),
            {"name": "router", "typed_config": {"@type": f"{EXTENSIONS}.filters.http.router.v3.Router"}}],
    }
    if setup.access_log:
        manager["access_log"] = [{"name": "file", "typed_config": {
            "@type": f"{EXTENSIONS}.access_loggers.file.v3.FileAccessLog", "path": f"{folder}/envoy.access.log"}}]
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    if setup.certificate:
        chain["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": f"{EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": {"filename": setup.certificate},
                    "private_key": {"filename": setup.certificate}}]}}}
    return {"name": "proxy", "address": _address(port), "tcp_backlog_size": 4096, "filter_chains": [chain]}


def _sign_in(provider):
    place = f"http://127.0.0.1:{provider}"
    return {"name": "envoy.filters.http.oauth2", "typed_config": {
        "@type": f"{EXTENSIONS}.filters.http.oauth2.v3.OAuth2", "config": {
            "authorization_endpoint": f"{place}/authorize",
            "token_endpoint": {"uri": f"{place}/token", "cluster": "provider", "timeout": "5s"},
            "redirect_uri": "http://%REQ(:authority)%/callback",
            "redirect_path_matcher": {"path": {"exact": "/callback"}}, "signout_path": {"path": {"exact": "/signout"}},
            "auth_scopes": ["openid"], "forward_bearer_token": True,
            "pass_through_matcher": [
                {"name": ":path", "string_match": {"exact": path}} for path in ("/", "/orders-open")],
            "credentials": {
                "client_id": "shop-web", "token_secret": {"name": "client"}, "hmac_secret": {"name": "cookies"}}}}}


def _token_filters(tokens, caches_tokens):
    provider = {
        "issuer": tokens.issuer, "audiences": [tokens.audience], "forward": True, "clock_skew_seconds": 30,
        "require_expiration": True, "payload_in_metadata": "payload", "local_jwks": {"inline_string": tokens.key_set},
        "claim_to_headers": [
            {"header_name": name, "claim_name": claim}
            for name, claim in [("x-user-id", "sub"), ("x-user-email", "email"), ("x-org", "org.id")]]}
    if caches_tokens:
        provider["jwt_cache_config"] = {"jwt_cache_size": 200_000}
    guarded = {"url_path": {"path": {"prefix": "/orders/"}}}
    has_scope = {"metadata": {
        "filter": "envoy.filters.http.jwt_authn", "path": [{"key": "payload"}, {"key": "scope"}],
        "value": {"string_match": {"contains": tokens.scope}}}}
    return [
        {"name": "envoy.filters.http.jwt_authn", "typed_config": {
            "@type": f"{EXTENSIONS}.filters.http.jwt_authn.v3.JwtAuthentication", "providers": {"login": provider},
            "rules": [{"match": {"prefix": "/orders/"}, "requires": {"provider_name": "login"}}]}},
        {"name": "envoy.filters.http.rbac", "typed_config": {
            "@type": f"{EXTENSIONS}.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {
                "scope": {"permissions": [guarded], "principals": [has_scope]},
                "open": {"permissions": [{"not_rule": guarded}], "principals": [{"any": True}]}}}}},
    ]
