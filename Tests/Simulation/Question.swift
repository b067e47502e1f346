/// What a simulated client may ask. Everything about a name follows from its number, so the right answer to any
/// question is known without a table of them.
///
/// Which servers are to be asked is part of the question: those of the zone that serves the name at the listener it came
/// to. What they say of one name differs.
package struct Asked: Hashable {
  package var number: Int
  package var type: UInt16 = 1
  package var dnssecOK = false
  package var checkingDisabled = false
  /// Zone of the configurations of this world: 0 the root, 1 `lab`.
  var view = 0

  package init(number: Int, type: UInt16 = 1, dnssecOK: Bool = false, checkingDisabled: Bool = false) {
    self.number = number
    self.type = type
    self.dnssecOK = dnssecOK
    self.checkingDisabled = checkingDisabled
  }

  /// A number for all of it but the name's spelling.
  var seed: UInt64 {
    mix(UInt64(number) << 24 ^ UInt64(type) << 4 ^ UInt64(view) << 2 ^ (dnssecOK ? 1 : 0) ^ (checkingDisabled ? 2 : 0))
  }

  /// A quarter of the names is below `lab`.
  static func isLab(_ number: Int) -> Bool { number & 3 == 3 }

  /// In wire format, folded: `n<number>`, labels that make some names long, `sim` or `lab`.
  var name: [UInt8] { Self.name(number) }

  static func name(_ number: Int) -> [UInt8] {
    var name = label("n\(number)")
    let h = mix(UInt64(number) ^ 0xA11CE)
    // One in sixteen is as long as a name can be, or nearly.
    var pad = h & 15 == 0 ? 200 + Int(h >> 8 % 48) - name.count : Int(h >> 8 % 20)
    while pad > 1 {
      let length = min(63, pad - 1)
      name += [UInt8(length)] + (0..<length).map { 0x61 + UInt8((h >> 16 &+ UInt64($0)) % 26) }
      pad -= length + 1
    }
    return name + domain(number)
  }

  static func domain(_ number: Int) -> [UInt8] { label(isLab(number) ? "lab" : "sim") + [0] }

  /// The number in a folded name, if it is one that `name` makes.
  static func number(_ name: ArraySlice<UInt8>) -> Int? {
    guard let length = name.first, name.count > Int(length), length > 1 else { return nil }
    let digits = name.dropFirst(2).prefix(Int(length) - 1)
    guard let number = Int(String(decoding: digits, as: UTF8.self)), Self.name(number) == Array(name) else {
      return nil
    }
    return number
  }

  static func label(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
}
