// Looking for known fields in the lines of a head: one bit test where there are none.

@inline(__always)
func countFields(_ known: KnownField, _ fields: [FieldLine], _ facts: FieldFacts) -> Int {
  guard facts.has(known) else { return 0 }
  var count = 0
  for index in fields.indices where fields[index].known == known { count += 1 }
  return count
}

@inline(__always)
func firstField(_ known: KnownField, _ fields: [FieldLine], _ facts: FieldFacts) -> FieldLine? {
  guard facts.has(known) else { return nil }
  for index in fields.indices where fields[index].known == known { return fields[index] }
  return nil
}
