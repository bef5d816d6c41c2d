// A page of the demo, for a browser: sign in, see who you are, sign out here or everywhere, and make the same call with
// a session and with a token.

import FoundationEssentials

struct DemoPage {
  /// Goes into the page, for anybody to see: it is the demo's.
  var token: String

  /// How long the provider's access tokens last, so that one can see how the gateway renews them.
  static let tokenSeconds: Int64 = 12

  /// The path of the page's file in a folder.
  static func path(in folder: String) -> String { "\(folder)/page.html" }

  func write(to folder: String) throws { try Data(text.utf8).write(to: URL(filePath: Self.path(in: folder))) }

  private var text: String {
    """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Catraca: a pass or a list</title>
    <style>
      body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
      :root { color-scheme: light dark }
      button, a.button { font: inherit; padding: .3rem .8rem } pre { overflow: auto; border: 1px solid; padding: .8rem }
    </style>
    <h1>A pass or a list</h1>
    <p id="who">…</p>
    <p><a class="button" id="in" href="/login?return_to=/">Sign in</a>
    <button id="out">Sign out</button>
    <button id="everywhere">Sign out everywhere</button></p>
    <p id="renewed"></p>
    <h2>The same call</h2>
    <p><button id="session">with the session</button> (a cookie: a name on the gateway's list)<br>
    <button id="token">with a token</button> (a pass: the page carries it, the list is not asked)</p>
    <pre id="answer">What the service gets is shown here.</pre>
    <script>
      const by = id => document.getElementById(id)
      const call = async fields => {
        const credentials = fields.Authorization ? "omit" : "include"
        const answer = await fetch("/me/hello", { headers: fields, credentials })
        by("answer").textContent = answer.status + "\\n" + await answer.text()
        await show()
      }
      const show = async () => {
        const answer = await fetch("/login/me")
        const me = answer.ok ? await answer.json() : null
        by("who").textContent = me ? "You are " + me.sub + " (" + me.email + ")." : "Nobody has signed in."
        by("in").hidden = !!me
        by("out").hidden = by("everywhere").hidden = !me
        const calls = me && await fetch("/provider/calls")
        by("renewed").textContent = !calls || !calls.ok ? "" : "The provider's token lasts \(Self.tokenSeconds) seconds. "
          + "Until now the gateway has renewed it " + (await calls.json()).refreshes + " times, when it was used."
        person = me && me.sub
      }
      let person
      by("out").onclick = async () => {
        await fetch("/logout", { method: "POST", redirect: "manual" })
        await show()
      }
      // The provider ends all sessions of the person, and tells the gateway so at the back channel.
      by("everywhere").onclick = async () => {
        await fetch("/provider/logout-everywhere?sub=" + encodeURIComponent(person), { method: "POST" })
        await show()
      }
      onfocus = show
      by("session").onclick = () => call({})
      by("token").onclick = () => call({ Authorization: "Bearer \(token)" })
      show()
    </script>
    </html>

    """
  }
}
