// `/status` for people: one page without outside resources, which asks for the same document as JSON every two seconds.
// Everything that it shows comes from that document and is written as text, so that no name can become markup.

enum StatusPage {
  /// The page. Its script and style are let in by a number that is new for each answer. Nothing else runs or is loaded.
  static func response() -> SmallResponse {
    let nonce = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined()
    let page = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Catraca: status</title>
      <style nonce="\(nonce)">
      \(style)
      </style>
      </head>
      \(content)
      <script nonce="\(nonce)">
      \(script)
      </script>
      </html>

      """
    let policy =
      "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; "
      + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return SmallResponse(
      status: 200,
      fields: [
        ("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"), ("Vary", "Accept"), ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
      ], body: Array(page.utf8))
  }

  /// Whether a client would rather see the page than the document: it names HTML.
  static func isWanted(by request: SmallRequest) -> Bool {
    request.fields.contains { $0.name.lowercased() == "accept" && $0.value.lowercased().contains("text/html") }
  }

  private static let content = """
    <body>
    <header>
      <h1>Catraca <span id="version"></span></h1>
      <p id="state" role="status">Loading</p>
      <button id="pause" type="button" aria-pressed="false">Pause</button>
    </header>
    <main>
      <noscript><p>A script fills this page. The same as JSON: /status without text/html in Accept.</p></noscript>
      <dl id="tiles">
        <div><dt>Requests a second</dt><dd id="rate">–</dd></div>
        <div><dt>Answered with 5xx</dt><dd id="failed">–</dd></div>
        <div><dt>p99 of all routes</dt><dd id="p99">–</dd></div>
        <div><dt>Client connections</dt><dd id="connections">–</dd></div>
        <div><dt>Tokens found in the cache</dt><dd id="cache">–</dd></div>
        <div><dt>Up for</dt><dd id="uptime">–</dd></div>
      </dl>
      <figure id="history" hidden>
        <figcaption id="history-note"></figcaption>
        <svg viewBox="0 0 600 80" preserveAspectRatio="none" role="img" aria-labelledby="history-note">
          <polygon id="area" points=""></polygon><polyline id="curve" points=""></polyline>
        </svg>
      </figure>
      <section aria-labelledby="configuration-title">
        <h2 id="configuration-title">Configuration</h2>
        <p id="configuration-note" class="note"></p>
        <ul id="configuration-errors" class="bad"></ul>
      </section>
      <section aria-labelledby="routes-title">
        <h2 id="routes-title">Routes</h2>
        <p id="routes-note" class="note">Rates of the last 10 seconds, latencies of the last minute.</p>
        <table id="routes"><thead><tr><th scope="col">Route</th><th scope="col">Requests</th>
          <th scope="col">Who may pass</th><th scope="col">Goes to</th><th scope="col">a second</th>
          <th scope="col">in all</th><th scope="col">4xx</th><th scope="col">5xx</th><th scope="col">p50</th>
          <th scope="col">p95</th><th scope="col">p99</th></tr></thead><tbody></tbody></table>
      </section>
      <section aria-labelledby="upstreams-title">
        <h2 id="upstreams-title">Upstream servers</h2>
        <p id="servers-empty" class="note">There is no upstream.</p>
        <table id="servers"><thead><tr><th scope="col">Server</th><th scope="col">Upstream</th>
          <th scope="col">Health</th><th scope="col">Running</th><th scope="col">Weight</th>
          <th scope="col">Ejections</th><th scope="col">Last check</th></tr></thead><tbody></tbody></table>
      </section>
      <section aria-labelledby="issuers-title">
        <h2 id="issuers-title">Issuers</h2>
        <p id="issuers-empty" class="note">There is no issuer: every route is public.</p>
        <table id="issuers"><thead><tr><th scope="col">Issuer</th><th scope="col">State</th><th scope="col">Keys</th>
          <th scope="col">Fetched</th><th scope="col">Next fetch</th><th scope="col">Source</th>
          <th scope="col">Last error</th></tr></thead><tbody></tbody></table>
      </section>
      <section aria-labelledby="refusals-title">
        <h2 id="refusals-title">Refusals</h2>
        <p id="refusals-empty" class="note">Nothing was refused.</p>
        <table id="refusals"><thead><tr><th scope="col">Reason</th><th scope="col">a second</th>
          <th scope="col">in all</th></tr></thead><tbody></tbody></table>
      </section>
      <section aria-labelledby="last-title">
        <h2 id="last-title">Last refusals</h2>
        <p id="last-empty" class="note">Nothing was refused.</p>
        <table id="last"><thead><tr><th scope="col">Request id</th><th scope="col">Reason</th>
          <th scope="col">Status</th><th scope="col">Route</th><th scope="col">Time</th></tr></thead>
          <tbody></tbody></table>
      </section>
      <section aria-labelledby="messages-title">
        <h2 id="messages-title">Messages</h2>
        <p id="messages-empty" class="note">Nothing went wrong.</p>
        <table id="messages"><thead><tr><th scope="col">Kind</th><th scope="col">What</th>
          <th scope="col">Request id</th><th scope="col">Time</th></tr></thead><tbody></tbody></table>
      </section>
      <section aria-labelledby="certificates-title">
        <h2 id="certificates-title">Certificates</h2>
        <p id="certificates-empty" class="note">No listener has TLS.</p>
        <table id="certificates"><thead><tr><th scope="col">Name</th><th scope="col">Listener</th>
          <th scope="col">Key</th><th scope="col">Days left</th><th scope="col">Expires</th></tr></thead>
          <tbody></tbody></table>
      </section>
      <section aria-labelledby="listeners-title">
        <h2 id="listeners-title">Listeners</h2>
        <table id="listeners"><thead><tr><th scope="col">Address</th><th scope="col">TLS</th>
          <th scope="col">Active</th><th scope="col">Idle</th></tr></thead><tbody></tbody></table>
      </section>
    </main>
    </body>
    """

  private static let style = """
    :root { color-scheme: light dark; --text: #1d2329; --soft: #5b6672; --line: #d9dee3; --back: #f6f7f9; --card: #fff;
      --good: #12703c; --bad: #b3261e; --warn: #8a5200; --focus: #1a5fb4; }
    @media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --soft: #a3adb8; --line: #333b43; --back: #14181c;
      --card: #1d2329; --good: #6fd39b; --bad: #ff9b93; --warn: #f0b75e; --focus: #8ab8f0; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
    header, main { max-width: 75rem; margin: 0 auto; padding: 0 1rem; }
    header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; padding-top: 1rem; }
    h1 { margin: 0; font-size: 1.4rem; } h1 span { color: var(--soft); font-weight: 400; font-size: 1rem; }
    h2 { margin: 1.6rem 0 .3rem; font-size: 1.05rem; }
    #state { margin: 0; flex: 1; }
    .note { margin: 0 0 .4rem; color: var(--soft); font-size: .9rem; }
    button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft);
      border-radius: .4rem; padding: .3rem .9rem; min-height: 2.2rem; cursor: pointer; }
    button:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
    dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; margin: 1rem 0 0; }
    dl div, table { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
    dl div { padding: .6rem .8rem; } dt { color: var(--soft); font-size: .85rem; }
    dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
    table { width: 100%; border-collapse: separate; border-spacing: 0; }
    th, td { text-align: left; padding: .4rem .7rem; vertical-align: top; overflow-wrap: anywhere; }
    thead th { color: var(--soft); font-weight: 500; font-size: .85rem; white-space: nowrap; }
    tbody th { font-weight: 600; min-width: 8rem; }
    tbody th, tbody td { border-top: 1px solid var(--line); font-variant-numeric: tabular-nums; }
    figure { margin: 1rem 0 0; padding: .6rem .8rem; background: var(--card); border: 1px solid var(--line);
      border-radius: .5rem; } figcaption { color: var(--soft); font-size: .85rem; }
    svg { display: block; width: 100%; height: 5rem; }
    polyline { fill: none; stroke: var(--focus); stroke-width: 2; vector-effect: non-scaling-stroke; }
    polygon { fill: var(--focus); opacity: .15; }
    ul { margin: .3rem 0 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
    .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .warn { color: var(--warn); }
    td.number, td.good { white-space: nowrap; }
    @media (max-width: 44rem) {
      thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
      table, tbody, tr, tbody th, tbody td { display: block; }
      tbody tr { padding: .5rem 0; border-top: 1px solid var(--line); } tbody tr:first-child { border-top: 0; }
      tbody th, tbody td { border-top: 0; padding: .1rem .8rem; }
      tbody td { display: flex; justify-content: space-between; gap: 1rem; text-align: right; }
      tbody td::before { content: attr(data-label); color: var(--soft); font-weight: 400; text-align: left;
        white-space: nowrap; }
    }
    [hidden] { display: none !important; }
    """
}
