// Writes the generated parts of the documents again: `make docs`.

import FoundationEssentials

for document in GeneratedDocument.all {
  let url = URL(filePath: document.path)
  let text = try String(contentsOf: url, encoding: .utf8)
  try document.filled(text).write(to: url, atomically: true, encoding: .utf8)
}
