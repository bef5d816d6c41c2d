"""Takes files from outside docs/ in as pages, and leads links between documents to them. mkdocs runs it."""

import os
import posixpath
import re

from mkdocs.structure.files import File

# Files of the repository, and where they are on the site. README.md is the first page.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changes.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "docker/kubernetes/README.md": "guide/kubernetes.md",
    "Benchmarks/README.md": "project/benchmarks.md",
    "Benchmarks/RESULTS.md": "project/results.md",
    "Benchmarks/results/table.md": "project/table.md",
    "Benchmarks/results/table-2-workers.md": "project/table-2-workers.md",
    "Benchmarks/results/table.svg": "project/table.svg",
    "Benchmarks/results/table-2-workers.svg": "project/table-2-workers.svg",
    "Benchmarks/results/pass-or-list.md": "project/pass-or-list.md",
    "Benchmarks/results/pass-or-list.svg": "project/pass-or-list.svg",
    "Fuzzing/README.md": "project/fuzzing.md",
    "gateway.conf.example": "project/gateway.conf.example",
}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files, config):
    for source, place in PAGES.items():
        if os.path.exists(os.path.join(ROOT, source)):
            with open(os.path.join(ROOT, source), encoding="utf-8") as file:
                files.append(File.generated(config, place, content=file.read()))
    css = os.path.join(ROOT, "docs/site/site.css")
    with open(css, encoding="utf-8") as file:
        files.append(File.generated(config, "site.css", content=file.read()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Writes links as the site has them. A link to a file that is no page becomes its text."""
    place = page.file.src_uri
    source = next((key for key, value in PAGES.items() if value == place), "docs/" + place)

    def led(match):
        image, text, address = match.groups()
        if re.match(r"[a-z][a-z0-9+.-]*:|#", address):
            return match.group(0)
        path, mark, anchor = address.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target in PAGES:
            there = PAGES[target]
        elif target.startswith("docs/") and files.get_file_from_path(target.removeprefix("docs/")):
            there = target.removeprefix("docs/")
        elif os.path.exists(os.path.join(ROOT, target)):
            return text
        else:
            return match.group(0)  # mkdocs reports it
        return f"{image}[{text}]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{mark}{anchor})"

    # Each page of the site has its contents beside it.
    markdown = re.sub(r"^## Contents\n.*?(?=^## )", "", markdown, count=1, flags=re.M | re.S)
    # Code keeps what looks like a link.
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.M | re.S)
    return "".join(part if index % 2 else LINK.sub(led, part) for index, part in enumerate(parts))
