// Documents that a program makes up and changes at random, each with what graphql-core finds in it.

/// Writes `COUNT` lines: a document in hexadecimal, and its verdict.
let graphQLOracle = #"""
  import random, sys
  from graphql import GraphQLError, parse
  from graphql.language import ast

  pick = random.Random(114)
  MOST = 2**32 - 1

  def chance(share): return pick.random() < share
  def name(): return pick.choice(["a", "b", "c", "name", "on", "type", "query", "__typename", "true", "user", "A1", "_x"])

  def value(depth):
      kinds = ["int", "float", "string", "block", "word", "variable"] + (["list", "object"] if depth < 3 else [])
      kind = pick.choice(kinds)
      if kind == "int": return pick.choice(["0", "-1", "42", "007", "1x"] if chance(0.1) else ["0", "-1", "42"])
      if kind == "float": return pick.choice(["1.5", "-0.1e9", "2E-3"])
      if kind == "string": return pick.choice(['""', '"text"', '"\\u00e9 \\n"', '"\\u{1F600}"', '"\\uD83D\\uDE00"', '"{ä}"'])
      if kind == "block": return pick.choice(['"""a"""', '"""\n \\""" b\n"""', '""""""'])
      if kind == "word": return pick.choice(["RED", "true", "null", "on"])
      if kind == "variable": return "$" + name()
      if kind == "list": return "[" + " ".join(value(depth + 1) for _ in range(pick.randrange(3))) + "]"
      return "{" + ", ".join(name() + ": " + value(depth + 1) for _ in range(pick.randrange(3))) + "}"

  def arguments(share):
      if not chance(share): return ""
      return "(" + " ".join(name() + ": " + value(0) for _ in range(pick.randrange(1, 3))) + ")"

  def directives(): return " @" + name() + arguments(0.3) if chance(0.1) else ""

  def selections(depth, fragments):
      parts = []
      for _ in range(pick.choice([1, 1, 2, 2, 3])):
          kind = pick.random()
          if kind < 0.75 or depth > 5:
              text = (name() + ": " if chance(0.2) else "") + pick.choice([name(), name(), name(), "__schema", "__type"])
              if chance(0.9): text = text.replace("__schema", "a").replace("__type", "b")
              text += arguments(0.15) + directives()
              if depth < 5 and chance(0.35): text += " " + selections(depth + 1, fragments)
          elif kind < 0.9 and fragments: text = "..." + pick.choice(fragments) + directives()
          else: text = "..." + pick.choice([" on " + name(), ""]) + directives() + selections(depth + 1, fragments)
          parts.append(text)
      return "{" + pick.choice([" ", "\n", ", ", " # text\n"]).join(parts) + pick.choice(["", " "]) + "}"

  def kind_of_type(depth=0):
      if depth < 3 and chance(0.3): return "[" + kind_of_type(depth + 1) + "]" + pick.choice(["", "!"])
      return name() + pick.choice(["", "!"])

  def operation(index, fragments, alone):
      if alone and chance(0.4): return selections(0, fragments)
      text = pick.choice(["query", "mutation", "subscription"])
      if not alone or chance(0.7): text += " " + pick.choice(["Op%d" % index, "Op%d" % index, name()])
      if chance(0.2):
          default = " = " + value(0).replace("$", "") if chance(0.3) else ""
          text += "($" + name() + ": " + kind_of_type() + default + directives().replace("$", "") + ")"
      if chance(0.05): text = '"text" ' + text
      return text + directives() + " " + selections(0, fragments)

  def document():
      names = ["F%d" % index for index in range(pick.choice([0, 0, 0, 1, 2, 4]))]
      count = pick.choice([1, 1, 1, 1, 2, 3])
      parts = [operation(index, names, count == 1) for index in range(count)]
      for index, own in enumerate(names):
          # Mostly without circles.
          seen = names[index + 1:] if chance(0.95) else names
          parts.append("fragment " + own + " on " + name() + " " + selections(1, seen))
      if chance(0.02): parts.append(pick.choice(["type A { b: C }", "extend type A { b: C }", "scalar A", "schema { query: Q }"]))
      pick.shuffle(parts)
      return pick.choice(["", "\ufeff", " ", ","]) + pick.choice([" ", "\n", "\r\n", ","]).join(parts)

  PIECES = ["{", "}", "(", ")", "[", "]", "...", ":", "!", "$", "@", "=", "|", "&", '"', '"""', "\\", "#", "\n", "\r", ",",
            "on", "query", "fragment", "F0", "0", "-", ".", "e", "\ufeff", "\u00e4", "\u2028", "\x00", "\\u", "{}", "()"]

  def changed(text):
      data = list(text)
      for _ in range(pick.choice([1, 1, 2, 3])):
          at = pick.randrange(len(data) + 1)
          kind = pick.randrange(4)
          if kind == 0: data[at:at + pick.randrange(1, 4)] = []
          elif kind == 1: data[at:at] = [pick.choice(PIECES)]
          elif kind == 2: data[at:at + 1] = [pick.choice(PIECES)]
          else:
              other = pick.randrange(len(data) + 1)
              data[at:at] = data[min(at, other):max(at, other)][:20]
      raw = "".join(data).encode("utf-8")
      if chance(0.05) and raw:
          at = pick.randrange(len(raw))
          raw = raw[:at] + bytes([pick.randrange(256)]) + raw[at + 1:]
      return raw

  class Refused(Exception): pass

  def verdict(raw):
      try: parsed = parse(raw.decode("utf-8"), no_location=True, allow_empty_selection_sets=False)
      except (GraphQLError, UnicodeDecodeError): return "refused"
      operations, fragments, introspection = [], {}, False
      for part in parsed.definitions:
          if isinstance(part, ast.OperationDefinitionNode): operations.append(part)
          elif isinstance(part, ast.FragmentDefinitionNode):
              if part.name.value in fragments: return "refused"
              fragments[part.name.value] = part
          else: return "refused"
      names = [part.name.value if part.name else None for part in operations]
      if len(set(names)) < len(names) or len(names) > 1 and None in names: return "refused"
      known = {}

      def add(total, more):
          aliases, roots = min(MOST, total[1] + more[1]), min(MOST, total[2] + more[2])
          return [max(total[0], more[0]), aliases, roots, total[3] | more[3], total[4] or more[4]]

      def fragment(own):
          if own not in fragments: raise Refused
          if own not in known:
              known[own] = None
              known[own] = count(fragments[own].selection_set, 0)
          if known[own] is None: raise Refused
          return known[own]

      def count(found, level):
          total = [0, 0, 0, set(), False]
          for node in found.selections:
              if isinstance(node, ast.FieldNode):
                  own = node.name.value
                  at_top = level == 0
                  total = add(total, [level + 1, 1 if node.alias else 0, 1 if at_top else 0, {own} if at_top else set(), own in ("__schema", "__type")])
                  if node.selection_set: total = add(total, count(node.selection_set, level + 1))
              elif isinstance(node, ast.FragmentSpreadNode):
                  more = fragment(node.name.value)
                  at_top = level == 0
                  roots = [more[2], more[3]] if at_top else [0, set()]
                  total = add(total, [level + more[0], more[1]] + roots + [more[4]])
              else: total = add(total, count(node.selection_set, level))
          return total

      try:
          for own in fragments: fragment(own)
          totals = [count(part.selection_set, 0) for part in operations]
      except Refused: return "refused"
      text = []
      for part, total in zip(operations, totals):
          own = part.name.value if part.name else ""
          text.append(",".join([part.operation.value, own, str(total[0]), str(total[1]), str(total[2])] + sorted(total[3])))
      introspection = any(known[own][4] for own in fragments) or any(total[4] for total in totals)
      return " ".join(["read", str(introspection).lower()] + text)

  # Each document as it is, and changed.
  pool = []
  for index in range(int(sys.argv[1])):
      if index % 2 == 0:
          text = document()
          raw = text.encode("utf-8")
      else: raw = changed(text)
      print(raw.hex() + "\t" + verdict(raw))
  """#
