"""Checks the pages of the built site: nothing comes from another host, and links within it lead somewhere.

    check.py FOLDER
"""

import os
import re
import sys
import urllib.parse
from html.parser import HTMLParser

# Attributes whose address a browser loads without a click. Of <link>, only some kinds are loaded.
LOADED = {("script", "src"), ("img", "src"), ("img", "srcset"), ("source", "src"), ("source", "srcset"),
          ("iframe", "src"), ("video", "src"), ("audio", "src"), ("embed", "src"), ("object", "data"),
          ("form", "action"), ("link", "href")}
ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.I)


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.ids, self.outside = path, [], set(), []
        self.isStyle = False
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        self.isStyle = tag == "style"
        for name, value in attributes:
            value = value or ""
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value)
            if (tag, name) in LOADED and ADDRESS.search(value):
                self.outside.append(f"<{tag} {name}={value}>")
            if name == "style":
                self.outside += outside_of_style(value)
            if (tag, name) in {("a", "href"), ("img", "src"), ("script", "src"), ("link", "href")}:
                self.links.append(value)

    def handle_endtag(self, tag):
        self.isStyle = False

    def handle_data(self, data):
        if self.isStyle:
            self.outside += outside_of_style(data)


def outside_of_style(text):
    addresses = re.findall(r"(?:url\(\s*|@import\s+)['\"]?([^'\")\s;]+)", text)
    return [f"style: {address}" for address in addresses if ADDRESS.match(address)]


def main(root):
    files = {os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names}
    pages = {path: Page(path) for path in files if path.endswith(".html")}
    findings = []
    for path, page in sorted(pages.items()):
        findings += [f"{path}: from another host: {what}" for what in page.outside]
        for link in page.links:
            address = urllib.parse.urlsplit(link)
            # What every host would answer with 404 is the page 404.html, whose links begin with the site's root.
            if address.scheme or address.netloc or os.path.basename(path) == "404.html":
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(address.path)))
            target = path if not address.path else target
            if os.path.isdir(target):
                target = os.path.join(target, "index.html")
            anchor = urllib.parse.unquote(address.fragment)
            if target not in files:
                findings.append(f"{path}: the link {link} leads nowhere")
            elif anchor and target in pages and anchor not in pages[target].ids:
                findings.append(f"{path}: the link {link} leads to no heading")
    for path in sorted(files):
        if path.endswith(".css"):
            with open(path, encoding="utf-8") as file:
                findings += [f"{path}: from another host: {what}" for what in outside_of_style(file.read())]
    if not pages:
        findings.append(f"{root}: no pages")
    print("\n".join(findings) or f"{len(pages)} pages, nothing from another host, and all links lead somewhere")
    sys.exit(bool(findings))


main(sys.argv[1])
