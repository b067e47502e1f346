/// Why a regular expression is refused.
public struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// A regular expression, read.
indirect enum PatternNode {
  enum Assertion: Hashable, Sendable {
    case textStart, textEnd, lineStart, lineEnd, wordBorder, noWordBorder
  }

  case empty
  case set(ByteSet)
  case sequence([PatternNode])
  /// The first that leads to a match wins.
  case choice([PatternNode])
  /// `most` nil: any number.
  case repetition(PatternNode, least: Int, most: Int?, isLazy: Bool)
  case group(PatternNode, Int)
  case assertion(Assertion)
}

/// Reads RE2's syntax (github.com/google/re2/wiki/Syntax) over octets: what it refuses is refused, and Unicode's
/// classes too, for names and error messages are ASCII.
struct PatternParser {
  /// Of parentheses in each other.
  private static let depthLimit = 100
  /// Of one counted repetition, as in RE2.
  private static let repeatLimit = 1000

  private let text: [UInt8]
  private var at = 0
  private var depth = 0
  private var ignoresCase = false
  private var isMultiline = false
  private var dotIsAll = false
  private var isUngreedy = false
  /// By group number; nil for one without a name.
  private(set) var names: [String?] = [nil]

  private init(_ text: [UInt8]) { self.text = text }

  static func parse(_ text: [UInt8]) throws(PatternError) -> (PatternNode, names: [String?]) {
    var parser = PatternParser(text)
    let node = try parser.choice()
    if parser.at < text.count { throw PatternError("unexpected )") }
    return (node, parser.names)
  }

  private var next: UInt8? { at < text.count ? text[at] : nil }

  private mutating func take(_ wanted: String) -> Bool {
    guard text[at...].starts(with: wanted.utf8) else { return false }
    at += wanted.utf8.count
    return true
  }

  private mutating func choice() throws(PatternError) -> PatternNode {
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(PatternError) -> PatternNode {
    var parts: [PatternNode] = []
    while let octet = next, octet != UInt8(ascii: "|"), octet != UInt8(ascii: ")") {
      if take("\\Q") {
        while at < text.count, !take("\\E") {
          parts.append(literal(text[at]))
          at += 1
        }
        continue
      }
      guard let atom = try atom() else { continue }
      parts.append(try repetitions(of: atom))
    }
    return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
  }

  private func literal(_ octet: UInt8) -> PatternNode {
    let set = ByteSet(octet...octet)
    return .set(ignoresCase ? set.ignoringCase : set)
  }

  private mutating func repetitions(of atom: PatternNode) throws(PatternError) -> PatternNode {
    var node = atom
    var isRepeated = false
    while let (least, most) = try quantifier() {
      if isRepeated { throw PatternError("invalid nested repetition operator") }
      isRepeated = true
      let isLazy = take("?") != isUngreedy
      node = .repetition(node, least: least, most: most, isLazy: isLazy)
    }
    return node
  }

  private mutating func quantifier() throws(PatternError) -> (Int, Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    // Braces that hold no count are literal.
    guard next == UInt8(ascii: "{"), let end = text[at...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
    let parts = text[(at + 1)..<end].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    let numbers = parts.map { part in
      part.allSatisfy(ByteSet.digits.contains) ? Int(String(decoding: part, as: UTF8.self)) : nil
    }
    guard parts.count <= 2, let least = numbers[0], parts.count == 1 || parts[1].isEmpty || numbers[1] != nil else {
      return nil
    }
    let most = parts.count == 1 ? least : numbers[1]
    guard least <= Self.repeatLimit, (most ?? least) <= Self.repeatLimit, (most ?? least) >= least else {
      throw PatternError("invalid repeat count: expected at most \(Self.repeatLimit), the smaller first")
    }
    at = end + 1
    return (least, most)
  }

  /// nil: something that stands for nothing itself, such as flags.
  private mutating func atom() throws(PatternError) -> PatternNode? {
    let octet = text[at]
    switch octet {
    case UInt8(ascii: "("): return try group()
    case UInt8(ascii: "["): return try bracket()
    case UInt8(ascii: "\\"): return try escape()
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
      throw PatternError("missing argument to repetition operator: \(Character(UnicodeScalar(octet)))")
    default:
      at += 1
      switch octet {
      case UInt8(ascii: "."): return .set(dotIsAll ? .all : .allButNewline)
      case UInt8(ascii: "^"): return .assertion(isMultiline ? .lineStart : .textStart)
      case UInt8(ascii: "$"): return .assertion(isMultiline ? .lineEnd : .textEnd)
      default: return literal(octet)
      }
    }
  }

  private mutating func group() throws(PatternError) -> PatternNode? {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.depthLimit {
      throw PatternError("expression nests too deeply, expected at most \(Self.depthLimit)")
    }
    let flags = (ignoresCase, isMultiline, dotIsAll, isUngreedy)
    at += 1
    var number: Int?
    if take("?P<")
      || (text[at...].starts(with: "?<".utf8) && !text[at...].starts(with: "?<=".utf8)
        && !text[at...].starts(with: "?<!".utf8) && take("?<"))
    {
      number = names.count
      names.append(try groupName())
    } else if take("?") {
      guard try takeFlags() else { return nil }
    } else {
      number = names.count
      names.append(nil)
    }
    let inner = try choice()
    guard take(")") else { throw PatternError("missing closing )") }
    (ignoresCase, isMultiline, dotIsAll, isUngreedy) = flags
    return number.map { .group(inner, $0) } ?? inner
  }

  private mutating func groupName() throws(PatternError) -> String {
    guard let end = text[at...].firstIndex(of: UInt8(ascii: ">")) else { throw PatternError("invalid named capture") }
    let name = String(decoding: text[at..<end], as: UTF8.self)
    guard !name.isEmpty, text[at..<end].allSatisfy(ByteSet.word.contains), !names.contains(name) else {
      throw PatternError("invalid named capture: \(name)")
    }
    at = end + 1
    return name
  }

  /// Flags after `(?`. False: they end in `)` and hold for the rest of the group around them.
  private mutating func takeFlags() throws(PatternError) -> Bool {
    var value = true
    while let octet = next {
      at += 1
      switch octet {
      case UInt8(ascii: "i"): ignoresCase = value
      case UInt8(ascii: "m"): isMultiline = value
      case UInt8(ascii: "s"): dotIsAll = value
      case UInt8(ascii: "U"): isUngreedy = value
      case UInt8(ascii: "-") where value: value = false
      case UInt8(ascii: ":"): return true
      case UInt8(ascii: ")"): return false
      default: throw PatternError("invalid or unsupported Perl syntax: (?\(Character(UnicodeScalar(octet)))")
      }
    }
    throw PatternError("missing closing )")
  }

  private mutating func bracket() throws(PatternError) -> PatternNode {
    at += 1
    let isInverted = take("^")
    var set = ByteSet()
    var isFirst = true
    while isFirst || next != UInt8(ascii: "]") {
      guard let octet = next else { throw PatternError("missing closing ]") }
      isFirst = false
      if take("[:") {
        set.formUnion(try posixClass())
        continue
      }
      if octet == UInt8(ascii: "\\"), let perl = perlClass() {
        set.formUnion(perl)
        continue
      }
      let low = try member()
      var high = low
      if next == UInt8(ascii: "-"), at + 1 < text.count, text[at + 1] != UInt8(ascii: "]") {
        at += 1
        high = try member()
      }
      guard low <= high else { throw PatternError("invalid character class range") }
      set.insert(low...high)
    }
    at += 1
    if ignoresCase { set = set.ignoringCase }
    return .set(isInverted ? set.inverted : set)
  }

  private mutating func posixClass() throws(PatternError) -> ByteSet {
    let isInverted = take("^")
    guard let end = text[at...].firstIndex(of: UInt8(ascii: ":")), end + 1 < text.count,
      text[end + 1] == UInt8(ascii: "]"), let set = ByteSet.named[String(decoding: text[at..<end], as: UTF8.self)]
    else { throw PatternError("invalid character class range") }
    at = end + 2
    return isInverted ? set.inverted : set
  }

  /// One octet of a class.
  private mutating func member() throws(PatternError) -> UInt8 {
    guard let octet = next else { throw PatternError("missing closing ]") }
    if octet >= 0x80 { throw PatternError("only ASCII is supported in a character class") }
    if octet == UInt8(ascii: "\\") { return try escaped() }
    at += 1
    return octet
  }

  /// `\d`, `\s`, `\w` and their complements.
  private mutating func perlClass() -> ByteSet? {
    guard at + 1 < text.count else { return nil }
    let set: ByteSet
    switch text[at + 1] {
    case UInt8(ascii: "d"): set = .digits
    case UInt8(ascii: "D"): set = ByteSet.digits.inverted
    case UInt8(ascii: "s"): set = .space
    case UInt8(ascii: "S"): set = ByteSet.space.inverted
    case UInt8(ascii: "w"): set = .word
    case UInt8(ascii: "W"): set = ByteSet.word.inverted
    default: return nil
    }
    at += 2
    return set
  }

  private mutating func escape() throws(PatternError) -> PatternNode {
    if let set = perlClass() { return .set(set) }
    if take("\\b") { return .assertion(.wordBorder) }
    if take("\\B") { return .assertion(.noWordBorder) }
    if take("\\A") { return .assertion(.textStart) }
    if take("\\z") { return .assertion(.textEnd) }
    return literal(try escaped())
  }

  /// The octet that an escape stands for. References back and Unicode's classes are refused, as is every letter without
  /// a meaning.
  private mutating func escaped() throws(PatternError) -> UInt8 {
    at += 1
    guard let octet = next else { throw PatternError("trailing backslash at end of expression") }
    at += 1
    switch octet {
    case UInt8(ascii: "a"): return 0x07
    case UInt8(ascii: "f"): return 0x0C
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "v"): return 0x0B
    case UInt8(ascii: "x"): return try hexadecimal()
    case _ where octet < 0x80 && !ByteSet.word.contains(octet): return octet
    default: throw PatternError("invalid escape sequence: \\\(Character(UnicodeScalar(octet)))")
    }
  }

  private mutating func hexadecimal() throws(PatternError) -> UInt8 {
    var digits: ArraySlice<UInt8>
    if next == UInt8(ascii: "{"), let end = text[at...].firstIndex(of: UInt8(ascii: "}")) {
      digits = text[(at + 1)..<end]
      at = end + 1
    } else {
      digits = text[at...].prefix(2)
      at += digits.count
    }
    guard !digits.isEmpty, digits.allSatisfy({ ByteSet.named["xdigit"]!.contains($0) }),
      let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), value < 0x80
    else { throw PatternError("invalid escape sequence: \\x, expected an ASCII character in hexadecimal") }
    return value
  }
}
