#!/usr/bin/env python3
"""Writes Catraca's Grafana dashboard, by Grafana's own typed models, to standard output.

  dashboard.py > dashboard.json    writes it
  dashboard.py --check FILE        reads FILE back into the models, and fails unless it is what this program writes

Needs grafana-foundation-sdk from PyPI. `.ci/lint-observability` installs it and runs the check.
"""

import json
import sys

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Which gateways are shown, and which routes. `$routes` also matches what no route took.
GATEWAY = 'job=~"$job", instance=~"$instance"'
ROUTE = GATEWAY + ', route=~"$route"'
FAILED = ROUTE + ', code=~"5.."'
# Grafana puts in four scrape intervals or more.
RANGE = "[$__rate_interval]"


def rate(metric, labels=GATEWAY):
    return f"rate({metric}{{{labels}}}{RANGE})"


def quantile(number, metric, by, labels=GATEWAY):
    return f"histogram_quantile({number}, sum by (le, {by}) ({rate(metric + '_bucket', labels)}))"


def ratio(part, whole):
    return f"sum({part}) / sum({whole})"


def query(expression, legend, letter, instant=False):
    target = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter)
    target.datasource(SOURCE).editor_mode(prometheus_models.QueryEditorMode.CODE)
    return target.instant() if instant else target.range()


def steps(*limits):
    """Green, and another colour from each limit on."""
    first = [models.Threshold(value=None, color="green")]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(
        first + [models.Threshold(value=value, color=color) for value, color in limits])


def number(title, expression, unit, *limits, description="", decimals=None):
    panel = stat.Panel().title(title).description(description).datasource(SOURCE).unit(unit).height(4).span(4)
    panel.graph_mode(common_models.BigValueGraphMode.AREA).thresholds(steps(*limits))
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if decimals is not None:
        panel.decimals(decimals)
    return panel.with_target(query(expression, "", "A"))


def curves(title, unit, *queries, description="", stacked=False, span=8):
    panel = timeseries.Panel().title(title).description(description).datasource(SOURCE).unit(unit).height(8).span(span)
    panel.min(0).fill_opacity(25 if stacked else 8).line_width(1).show_points(common_models.VisibilityMode.NEVER)
    panel.legend(common.VizLegendOptions().show_legend(True).placement(common_models.LegendPlacement.BOTTOM)
                 .display_mode(common_models.LegendDisplayMode.LIST))
    panel.tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
                  .sort(common_models.SortOrder.DESCENDING))
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    for letter, (expression, legend) in zip("ABCDEF", queries):
        panel.with_target(query(expression, legend, letter))
    return panel


OVERVIEW = [
    number("Requests", f"sum({rate('catraca_requests_total', ROUTE)})", "reqps"),
    number(
        "Answered 5xx",
        f"(sum({rate('catraca_requests_total', FAILED)}) or vector(0)) / sum({rate('catraca_requests_total', ROUTE)})",
        "percentunit", (0.01, "orange"), (0.05, "red"), decimals=2,
        description="By the gateway or by servers. Clients that went away (499) are not in it."),
    number(
        "99 % are faster than",
        f"histogram_quantile(0.99, sum by (le) ({rate('catraca_request_duration_seconds_bucket', ROUTE)}))", "s",
        (0.5, "orange"), (1, "red")),
    number("Under way", f"sum(catraca_requests_active{{{GATEWAY}}})", "short",
           description="Requests that have begun and not ended, WebSockets included."),
    number("First certificate expires in",
           f"min(catraca_tls_certificate_expiry_timestamp_seconds{{{GATEWAY}}}) - time()", "s"),
    number("Gateways", f"count(catraca_build_info{{{GATEWAY}}})", "short"),
]

TRAFFIC = [
    curves("Requests by route", "reqps", (f"sum by (route) ({rate('catraca_requests_total', ROUTE)})", "{{route}}"),
           stacked=True),
    curves("Requests by status", "reqps", (f"sum by (code) ({rate('catraca_requests_total', ROUTE)})", "{{code}}"),
           stacked=True),
    curves("Requests under way", "short",
           (f"sum by (listener) (catraca_requests_active{{{GATEWAY}}})", "{{listener}}"), stacked=True),
    curves("How long half of the requests take at most", "s",
           (quantile(0.5, "catraca_request_duration_seconds", "route", ROUTE), "{{route}}")),
    curves("How long 99 % of the requests take at most", "s",
           (quantile(0.99, "catraca_request_duration_seconds", "route", ROUTE), "{{route}}")),
    curves("Bytes of bodies", "Bps",
           (f"sum by (route) ({rate('catraca_request_body_bytes_total', ROUTE)})", "{{route}} in"),
           (f"sum by (route) ({rate('catraca_response_body_bytes_total', ROUTE)})", "{{route}} out"),
           description="Counted when a request ends."),
]

TOKENS = [
    curves("Decisions about tokens", "reqps",
           (f"sum by (result) ({rate('catraca_auth_total', ROUTE)})", "{{result}}"), stacked=True),
    curves("Tokens that were known already", "percentunit",
           (ratio(rate("catraca_token_cache_total", GATEWAY + ', result="hit"'),
                  rate("catraca_token_cache_total")), "of all"),
           description="The rest costs a verification of the signature."),
    curves("How long 99 % of the verifications take at most", "s",
           (quantile(0.99, "catraca_token_verify_seconds", "algorithm"), "{{algorithm}}")),
    curves("Age of the issuers' keys", "s",
           (f"max by (issuer) (catraca_jwks_age_seconds{{{GATEWAY}}})", "{{issuer}}")),
    curves("Usable keys", "short", (f"min by (issuer) (catraca_jwks_keys{{{GATEWAY}}})", "{{issuer}}")),
    curves("Fetches of keys", "cps",
           (f"sum by (issuer, result) ({rate('catraca_jwks_refresh_total')})", "{{issuer}} {{result}}")),
]

CALLERS = [
    curves("Questions to issuers about tokens", "reqps",
           (f"sum by (issuer, result) ({rate('catraca_introspection_total')})", "{{issuer}} {{result}}"), stacked=True,
           description="What is remembered is not asked."),
    curves("How long 99 % of the issuers' answers take at most", "s",
           (quantile(0.99, "catraca_introspection_duration_seconds", "issuer"), "{{issuer}}")),
    curves("Proofs that are remembered", "bytes",
           (f"catraca_proof_memory_bytes{{{GATEWAY}}}", "{{instance}}"),
           (f"catraca_proof_memory_limit_bytes{{{GATEWAY}}}", "{{instance}} limit"),
           description="8 bytes for each proof of a bound token (DPoP). Where it is full, proofs are answered 503."),
    curves("Lists of revoked tokens that count", "short",
           (f"min by (issuer, list) (catraca_revocation_good{{{GATEWAY}}})", "{{issuer}} {{list}}"),
           description="0 where a list cannot be read: the issuer's tokens are refused, unless the file lets them pass."),
    curves("Entries in lists of revoked tokens", "short",
           (f"max by (issuer, list) (catraca_revocation_entries{{{GATEWAY}}})", "{{issuer}} {{list}}")),
    curves("Age of lists of revoked tokens", "s",
           (f"max by (issuer, list) (catraca_revocation_age_seconds{{{GATEWAY}}})", "{{issuer}} {{list}}")),
    curves("Answers of services (authorize)", "reqps",
           (f"sum by (service, result) ({rate('catraca_authorize_total')})", "{{service}} {{result}}"), stacked=True),
    curves("How long 99 % of the services' answers take at most", "s",
           (quantile(0.99, "catraca_authorize_duration_seconds", "service"), "{{service}}")),
    curves("Operations of GraphQL", "reqps",
           (f"sum by (type, operation) ({rate('catraca_graphql_operations_total', ROUTE)})", "{{type}} {{operation}}"),
           stacked=True),
]

UPSTREAMS = [
    curves("How long half of the answers take to begin", "s",
           (quantile(0.5, "catraca_upstream_duration_seconds", "upstream"), "{{upstream}}")),
    curves("How long 99 % of the answers take to begin", "s",
           (quantile(0.99, "catraca_upstream_duration_seconds", "upstream"), "{{upstream}}")),
    curves("Healthy servers", "percentunit",
           (f"avg by (upstream) (catraca_upstream_healthy{{{GATEWAY}}})", "{{upstream}}"),
           (f"max by (upstream) (catraca_upstream_panic{{{GATEWAY}}})", "{{upstream}} panics")),
    curves("Requests at the servers", "short",
           (f"sum by (upstream) (catraca_upstream_requests_active{{{GATEWAY}}})", "{{upstream}}"),
           (f"sum by (upstream) (catraca_upstream_queued{{{GATEWAY}}})", "{{upstream}} waiting"),
           (f"sum by (upstream) (catraca_upstream_requests_limit{{{GATEWAY}}})", "{{upstream}} limit")),
    curves("Requests that were turned away", "reqps",
           (f"sum by (upstream, reason) ({rate('catraca_upstream_rejected_total')})", "{{upstream}} {{reason}}")),
    curves("Retries", "reqps",
           (f"sum by (upstream) ({rate('catraca_upstream_retries_total')})", "{{upstream}}"),
           (f"sum by (upstream) ({rate('catraca_upstream_retries_refused_total')})", "{{upstream}} beyond the budget")),
    curves("Checks of servers", "cps",
           (f"sum by (upstream, result) ({rate('catraca_upstream_checks_total')})", "{{upstream}} {{result}}"),
           (f"sum by (upstream) ({rate('catraca_upstream_ejections_total')})", "{{upstream}} ejected")),
    curves("Look-ups of servers' names", "cps",
           (f"sum by (upstream, result) ({rate('catraca_dns_total')})", "{{upstream}} {{result}}")),
    curves("Connections to servers", "short",
           (f"sum by (upstream, state) (catraca_upstream_connections{{{GATEWAY}}})", "{{upstream}} {{state}}")),
]

LIMITS = [
    curves("Errors", "cps", (f"sum by (reason) ({rate('catraca_errors_total')})", "{{reason}}"), stacked=True,
           description="docs/REFUSALS.md explains each reason and says what to do."),
    curves("Rate limits", "reqps",
           (f"sum by (route) ({rate('catraca_rate_limited_total', ROUTE)})", "{{route}}"),
           (f"sum by (route) ({rate('catraca_rate_limited_dry_run_total', ROUTE)})", "{{route}} (dry run)"),
           (f"sum by (route) ({rate('catraca_rate_limit_evictions_total', ROUTE)})", "{{route}} callers forgotten")),
    curves("Copies for mirrors", "reqps",
           (f"sum by (route, result) ({rate('catraca_mirrored_total', ROUTE)})", "{{route}} {{result}}")),
    curves("Connections of clients", "short",
           (f"sum by (listener, state) (catraca_connections{{{GATEWAY}}})", "{{listener}} {{state}}"), stacked=True),
    curves("TLS handshakes", "cps", (f"sum by (result) ({rate('catraca_tls_handshakes_total')})", "{{result}}"),
           stacked=True),
    curves("Memory that connections hold", "bytes",
           (f"catraca_memory_bytes{{{GATEWAY}}}", "{{instance}}"),
           (f"catraca_memory_limit_bytes{{{GATEWAY}}}", "{{instance}} limit")),
]

OTHERS = [
    curves("Servers of Redis that answer", "percentunit",
           (f"avg by (store) (catraca_store_up{{{GATEWAY}}})", "{{store}}")),
    curves("Commands for Redis", "cps",
           (f"sum by (store, result) ({rate('catraca_store_commands_total')})", "{{store}} {{result}}"), stacked=True),
    curves("How long 99 % of the replies take at most", "s",
           (quantile(0.99, "catraca_store_command_duration_seconds", "store"), "{{store}}")),
    curves("Values in Redis that cannot be read", "cps",
           (f"sum by (store) ({rate('catraca_store_unreadable_total')})", "{{store}}"),
           description="Sessions and keys that no gateway has written so, or whose secret is missing. They count as none."),
    curves("Sent to collectors", "cps",
           (f"sum({rate('catraca_traces_sent_total')})", "spans"),
           (f"sum({rate('catraca_logs_sent_total')})", "log records"),
           (f"sum({rate('catraca_metrics_sent_total')})", "messages with metrics")),
    curves("Lost on the way to collectors", "cps",
           (f"sum by (reason) ({rate('catraca_traces_dropped_total')})", "spans: {{reason}}"),
           (f"sum by (reason) ({rate('catraca_logs_dropped_total')})", "log records: {{reason}}"),
           (f"sum by (reason) ({rate('catraca_metrics_dropped_total')})", "messages with metrics: {{reason}}")),
]

PROCESS = [
    curves("Processor cores in use", "short", (rate("process_cpu_seconds_total"), "{{instance}}")),
    curves("Memory of the process", "bytes",
           (f"process_resident_memory_bytes{{{GATEWAY}}}", "{{instance}}")),
    curves("File descriptors", "short",
           (f"process_open_fds{{{GATEWAY}}}", "{{instance}}"),
           (f"process_max_fds{{{GATEWAY}}}", "{{instance}} limit")),
    curves("Time since", "s",
           (f"time() - process_start_time_seconds{{{GATEWAY}}}", "{{instance}} start"),
           (f"time() - catraca_config_last_reload_success_timestamp_seconds{{{GATEWAY}}}", "{{instance}} reload")),
    curves("Reloads", "short",
           (f"sum by (result) (catraca_config_reloads_total{{{GATEWAY}}})", "{{result}}"),
           (f"min(catraca_config_last_reload_successful{{{GATEWAY}}})", "last one was good")),
    curves("Log lines lost", "cps",
           (f"sum by (instance) ({rate('catraca_access_log_dropped_total')})", "{{instance}} access log"),
           (f"sum by (instance) ({rate('catraca_log_dropped_total')})", "{{instance}} own log")),
]

ROWS = [("Overview", OVERVIEW), ("Traffic", TRAFFIC), ("Tokens", TOKENS),
        ("Callers and what they may do", CALLERS), ("Upstreams", UPSTREAMS),
        ("Limits, connections and TLS", LIMITS), ("Redis and collectors", OTHERS), ("Process", PROCESS)]


def variable(name, label, values):
    """A list to choose from, with several and with all."""
    return (dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(values).multi(True).include_all(True)
            .all_value(".*").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .current(models.VariableOption(selected=True, text=["All"], value=["$__all"])))


def made():
    board = (dashboard.Dashboard("Catraca").uid("catraca-gateway").tags(["catraca", "gateway"]).editable()
             .description("What Catraca, the API gateway, does: traffic, tokens, upstreams, limits and the process.")
             .refresh("30s").time("now-1h", "now").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
             .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
             .with_variable(variable("job", "Job", "label_values(catraca_build_info, job)"))
             .with_variable(variable("instance", "Gateway", 'label_values(catraca_build_info{job=~"$job"}, instance)'))
             .with_variable(variable("route", "Route", f"label_values(catraca_requests_total{{{GATEWAY}}}, route)")))
    for title, panels in ROWS:
        board.with_row(dashboard.Row(title))
        for panel in panels:
            board.with_panel(panel)
    finished = board.build()
    for index, panel in enumerate(finished.panels, start=1):
        panel.id_val = index
    return written(finished)


def written(board):
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def check(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text != made():
        return f"{path} is not what dashboard.py writes: run .ci/lint-observability --write"
    register_default_plugins()
    board = models.Dashboard.from_json(json.loads(text))
    if written(board) != text:
        return f"{path} loses something when Grafana's models read it"
    panels = [panel for panel in board.panels if not isinstance(panel, models.RowPanel)]
    for panel in panels:
        if not all(isinstance(target, prometheus_models.Dataquery) for target in panel.targets or [None]):
            return f"'{panel.title}' has no query that the models know"
    print(f"{path}: {len(panels)} panels, {sum(len(panel.targets) for panel in panels)} queries")
    return None


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"] and len(sys.argv) == 3:
        sys.exit(check(sys.argv[2]))
    sys.stdout.write(made())
