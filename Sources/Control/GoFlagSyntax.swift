/// Rewrites a command line in the syntax of Go's `flag` package into what swift-argument-parser reads.
///
/// The differences it removes (https://pkg.go.dev/flag, 'Command line flag syntax'): a flag may have one dash or two;
/// a flag with a value takes the next word whatever it looks like; a Boolean takes a value only after `=`, and takes
/// any of Go's eleven spellings; the first word that is no flag, or `--`, ends the flags. Where a flag is given
/// twice, the last one counts.
struct GoFlagSyntax {
  /// One word for each flag: `-name=value`; `-name` for a switch that is on, and for a flag that lacks its value.
  var words: [String] = []
  /// What stands after the flags.
  var leftovers: [String] = []
  /// `-h`, `-help`, or either with two dashes.
  var wantsHelp = false

  /// - Parameters:
  ///   - switches: names of the Booleans that are off unless given.
  ///   - toggles: names of the Booleans that are on unless turned off.
  /// - Throws: a message, for a word that is no flag's form and for a Boolean that is neither true nor false.
  init(_ arguments: [String], switches: Set<String>, toggles: Set<String>) throws(Malformed) {
    var booleans: [String: Bool] = [:]
    var rest = arguments[...]
    while let word = rest.first, word.count >= 2, word.first == "-" {
      rest.removeFirst()
      if word == "--" { break }
      let body = word.dropFirst(word.hasPrefix("--") ? 2 : 1)
      guard let first = body.first, first != "-", first != "=" else { throw Malformed("bad flag syntax: \(word)") }
      let name = String(body.prefix { $0 != "=" })
      let value = body.count == name.count ? nil : String(body.dropFirst(name.count + 1))

      if name == "h" || name == "help" {
        wantsHelp = true
      } else if switches.contains(name) || toggles.contains(name) {
        guard let on = value.map(Self.boolean) ?? true else {
          throw Malformed("invalid boolean value \"\(value ?? "")\" for -\(name)")
        }
        booleans[name] = on
      } else if let value = value ?? rest.popFirst() {
        words.append("-\(name)=\(value)")
      } else {
        words.append("-\(name)")
      }
    }
    leftovers = Array(rest)
    for (name, on) in booleans.sorted(by: { $0.key < $1.key }) {
      if toggles.contains(name) { words.append("-\(name)=\(on)") } else if on { words.append("-\(name)") }
    }
  }

  /// As Go's `strconv.ParseBool`.
  private static func boolean(_ text: String) -> Bool? {
    switch text {
    case "1", "t", "T", "true", "TRUE", "True": true
    case "0", "f", "F", "false", "FALSE", "False": false
    default: nil
    }
  }

  struct Malformed: Error {
    let message: String
    init(_ message: String) { self.message = message }
  }
}
