// The script of the status page. It keeps the documents of the last minute and shows differences of them. All that it
// writes is text.

extension StatusPage {
  static let script = #"""
    "use strict";
    const period = 2000, rateWindow = 10e3, latencyWindow = 60e3, rowsMax = 200;
    let samples = [], isPaused = false, timer = 0;
    const by = id => document.getElementById(id);
    const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
    const count = value => value.toLocaleString("en");
    const percent = (part, all) => all > 0 ? (100 * part / all).toFixed(1) + " %" : "–";
    const perSecond = value => value >= 100 ? count(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);

    function span(seconds) {
      if (seconds == null) return "–";
      const parts = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
      const first = Math.max(0, parts.findIndex(([size]) => seconds >= size));
      if (seconds < 1) return "0 s";
      let rest = Math.floor(seconds);
      return parts.slice(first, first + 2).map(([size, unit]) => {
        const number = Math.floor(rest / size);
        rest -= number * size;
        return number ? number + " " + unit : "";
      }).filter(Boolean).join(" ");
    }

    // Rows are kept and their texts changed, so that a selection and a reader's place survive.
    function fill(id, rows) {
      const table = by(id), body = table.tBodies[0];
      const labels = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
      while (body.rows.length > rows.length) body.deleteRow(-1);
      rows.forEach((values, index) => {
        const row = body.rows[index] || body.insertRow();
        values.forEach((value, place) => {
          let cell = row.cells[place];
          if (!cell) {
            cell = row.appendChild(document.createElement(place ? "td" : "th"));
            if (place) cell.dataset.label = labels[place]; else cell.scope = "row";
          }
          const [text, look] = Array.isArray(value) ? value : [value, ""];
          write(cell, text);
          if (cell.className !== look) cell.className = look;
        });
      });
      table.hidden = rows.length === 0;
      const note = by(id + "-empty");
      if (note) note.hidden = rows.length > 0;
    }

    // The oldest document that is no older than a window, or the one before the newest.
    function before(window) {
      const newest = samples[samples.length - 1];
      return samples.find(sample => newest.at - sample.at <= window) || newest;
    }

    function percentile(share, counts, bounds) {
      const all = counts.reduce((sum, number) => sum + number, 0);
      if (!all) return null;
      let seen = 0;
      for (let index = 0; index < counts.length; index++) {
        if (seen + counts[index] >= share * all) {
          const low = index ? bounds[index - 1] : 0;
          if (index >= bounds.length) return Infinity;
          return low + (bounds[index] - low) * (share * all - seen) / counts[index];
        }
        seen += counts[index];
      }
      return Infinity;
    }

    function milliseconds(value, bounds) {
      if (value === null) return ["–", "number"];
      if (value === Infinity) return ["over " + bounds[bounds.length - 1] / 1000 + " s", "number"];
      if (value >= 1000) return [(value / 1000).toFixed(1) + " s", "number"];
      return [value.toFixed(value >= 10 ? 0 : 1) + " ms", "number"];
    }

    const difference = (now, then) => now.map((number, index) => Math.max(0, number - (then ? then[index] || 0 : 0)));
    const sum = lists => lists.reduce((all, list) => list.map((number, index) => number + (all[index] || 0)), []);
    const total = (items, key) => items.reduce((all, item) => all + item[key], 0);
    // Of the last minute, or since the start where that was quiet.
    function recent(route, past) {
      const older = past.get(route.name), counts = difference(route.latency_counts, older && older.latency_counts);
      return counts.some(number => number) ? counts : route.latency_counts;
    }

    function requestsOf({ path, rules }) {
      return [rules.methods.join(", "), (rules.host || "") + path,
        rules.listeners.length ? "by " + rules.listeners.join(", ") : ""].filter(Boolean).join(" ");
    }

    function whoMayPass(rules) {
      const names = rules.issuers.concat(rules.api_keys, rules.sessions);
      const parts = [rules.public ? "anyone" : names.join(" or ") + (rules.optional ? ", or no token" : "")];
      if (rules.shadow) parts[0] = "anyone, in shadow: " + parts[0];
      if (rules.scopes.length) parts.push("scope " + rules.scopes.join(rules.any_scope ? " or " : " and "));
      parts.push(...rules.claims);
      if (rules.authorize) parts.push((rules.authorize_shadow ? "in shadow " : "") + "asks " + rules.authorize);
      if (rules.clients.length) parts.push("from " + rules.clients.join(", "));
      return [parts.join("; "), rules.public || rules.shadow ? "warn" : ""];
    }

    function showRoutes(now, rated, timed, seconds) {
      const bounds = now.data.latency_bounds_ms, named = data => new Map(data.routes.map(route => [route.name, route]));
      const then = named(rated.data), past = named(timed.data);
      let rows = now.data.routes.map(route => {
        const old = then.get(route.name);
        const rate = seconds ? Math.max(0, route.requests - (old ? old.requests : 0)) / seconds : 0;
        return { route, rate, counts: recent(route, past) };
      });
      const all = rows.length;
      if (all > rowsMax) rows = rows.sort((a, b) => b.route.requests - a.route.requests).slice(0, rowsMax);
      write(by("routes-note"), "Rates of the last 10 seconds. Latencies of the last minute, or of all if it was quiet."
        + (all > rowsMax ? " The " + rowsMax + " busiest of " + count(all) + " routes." : ""));
      fill("routes", rows.map(({ route, rate, counts }) => [
        route.name, requestsOf(route), whoMayPass(route.rules),
        route.rules.answer || route.rules.upstreams.join(", "), [perSecond(rate), "number"],
        [count(route.requests), "number"], [count(route.client_errors), "number"],
        [count(route.server_errors), route.server_errors ? "number warn" : "number"],
        ...[.5, .95, .99].map(share => milliseconds(percentile(share, counts, bounds), bounds))]));
      // Routes of one name share their numbers.
      const each = [...named(now.data).values()].map(route => recent(route, past));
      write(by("p99"), milliseconds(percentile(.99, sum(each), bounds), bounds)[0]);
    }

    function health(server) {
      if (server.ejected_seconds != null) return ["ejected for " + span(Math.ceil(server.ejected_seconds)), "bad"];
      const looks = { healthy: "good", unhealthy: "bad", unknown: "warn" };
      return [server.health || "unchecked", looks[server.health] || ""];
    }

    function showServers(data) {
      const missing = data.upstreams.flatMap(upstream => (upstream.unresolved_names || []).map(name =>
        [name, upstream.name, ["no address", "bad"], "–", "–", "–", "–"]));
      fill("servers", missing.concat(data.upstreams.flatMap(upstream => upstream.servers.map(entry => {
        const server = typeof entry === "string" ? { address: entry } : entry;
        const check = server.last_check;
        return [server.address, upstream.name + (upstream.panic ? " (panic: all are used)" : ""), health(server),
          server.active_requests == null ? "–" : count(server.active_requests), String(server.weight ?? "–"),
          server.ejections == null ? "–" : count(server.ejections),
          check ? check.result + (check.status ? " " + check.status : "") + ", " + check.at : "–"];
      }))));
    }

    function showIssuers(data) {
      fill("issuers", data.issuers.map(issuer => [
        issuer.name, issuer.ready ? ["ready", "good"] : ["no keys", "bad"],
        count(issuer.keys) + (issuer.dropped_keys ? " (" + issuer.dropped_keys + " unusable)" : ""),
        [issuer.age_seconds == null ? "–" : span(issuer.age_seconds) + " ago", "number"],
        [issuer.next_refresh_seconds == null ? "–" : "in " + span(issuer.next_refresh_seconds), "number"], issuer.source,
        [issuer.last_error || "–", issuer.last_error ? "warn" : ""]]));
    }

    function showRefusals(data, old, seconds) {
      const rows = (now, then, words) => Object.entries(now).sort((a, b) => b[1] - a[1]).map(([reason, number]) => [
        reason + words, perSecond(seconds ? Math.max(0, number - (then[reason] || 0)) / seconds : 0), count(number)]);
      fill("refusals", rows(data.refusals, old.refusals, "")
        .concat(rows(data.shadow_refusals, old.shadow_refusals, ", in shadow")));
    }

    function showLastRefusals(data) {
      fill("last", data.last_refusals.map(each =>
        [each.request_id, each.code, [String(each.status), "number"], each.route || "–", each.at]));
      fill("messages", data.messages.map(each => [each.kind, each.text, each.request_id || "–", each.at]));
    }

    function showCertificates(data) {
      fill("certificates", data.certificates.map(each => [each.name, each.listener, each.key,
        [count(each.days_left), each.days_left < 7 ? "bad" : each.days_left < 21 ? "warn" : "good"], each.expires]));
    }

    function showConfiguration({ configuration, generation }) {
      const files = configuration.files.length;
      write(by("configuration-note"), configuration.file + (files > 1 ? " and " + count(files - 1) + " more files" : "")
        + ", version " + generation + (configuration.last_reload
          ? ". Last reload at " + configuration.last_reload : ". Not reloaded since the start"));
      const errors = configuration.last_reload_errors, list = by("configuration-errors");
      list.hidden = errors.length === 0;
      while (list.children.length > errors.length) list.lastChild.remove();
      errors.forEach((text, index) =>
        write(list.children[index] || list.appendChild(document.createElement("li")), text));
    }

    function showHistory({ interval_seconds: interval, requests_per_second: rates }) {
      by("history").hidden = rates.length < 2;
      const top = Math.max(1, ...rates), step = 600 / Math.max(1, rates.length - 1);
      const points = rates.map((rate, index) => (index * step).toFixed(1) + "," + (78 - 74 * rate / top).toFixed(1));
      by("curve").setAttribute("points", points.join(" "));
      by("area").setAttribute("points", "0,80 " + points.join(" ") + " 600,80");
      write(by("history-note"), "Requests a second over the last " + span(rates.length * interval)
        + ", at most " + perSecond(Math.max(0, ...rates)));
    }

    function show() {
      const now = samples[samples.length - 1], rated = before(rateWindow), timed = before(latencyWindow);
      const seconds = (now.at - rated.at) / 1000, data = now.data;
      write(by("version"), data.version);
      write(by("uptime"), span(data.uptime_seconds));
      write(by("rate"), seconds ? perSecond(Math.max(0, data.requests - rated.data.requests) / seconds) : "–");
      const asked = data.requests - rated.data.requests, failed = data.server_errors - rated.data.server_errors;
      write(by("failed"), percent(failed, asked));
      write(by("cache"), percent(data.token_cache.hits, data.token_cache.hits + data.token_cache.misses));
      write(by("connections"),
        count(total(data.listeners, "active_connections") + total(data.listeners, "idle_connections")));
      showRoutes(now, rated, timed, seconds);
      showServers(data);
      showIssuers(data);
      showRefusals(data, rated.data, seconds);
      showLastRefusals(data);
      showCertificates(data);
      showConfiguration(data);
      showHistory(data.history);
      fill("listeners", data.listeners.map(listener => [
        listener.address, listener.tls ? "yes" : "no", count(listener.active_connections),
        count(listener.idle_connections)]));
      const state = by("state");
      write(state, data.ready ? "Ready" : "Not ready: " + data.obstacles.join(", "));
      state.className = data.ready ? "good" : "bad";
    }

    async function refresh() {
      try {
        const answer = await fetch("/status", { headers: { Accept: "application/json" }, cache: "no-store" });
        if (!answer.ok) throw new Error("answered " + answer.status);
        const data = await answer.json(), last = samples[samples.length - 1];
        // Another process, whose counts begin at nothing.
        if (last && data.uptime_seconds < last.data.uptime_seconds) samples = [];
        samples.push({ at: performance.now(), data });
        while (samples.length > 2 && samples[samples.length - 1].at - samples[0].at > latencyWindow) samples.shift();
        show();
      } catch (error) {
        const state = by("state");
        write(state, "No answer from the gateway. These values are old");
        state.className = "bad";
      }
      if (!isPaused) timer = setTimeout(refresh, period);
    }

    by("pause").addEventListener("click", () => {
      isPaused = !isPaused;
      clearTimeout(timer);
      by("pause").setAttribute("aria-pressed", String(isPaused));
      write(by("pause"), isPaused ? "Go on" : "Pause");
      if (!isPaused) refresh();
    });
    refresh();
    """#
}
