import Chain
import Testing

/// The pattern matcher against the library's, and where the two differ on purpose.
struct PatternTests {
  /// What the pattern matches of the text: group 0 and the rest; nil for a group without part; nil: no match.
  private func groups(_ pattern: String, _ text: String) throws -> [String?]? {
    let bytes = Array(text.utf8)
    return try Pattern(pattern).firstMatch(in: bytes)?.map { range in
      range.map { String(decoding: bytes[$0], as: UTF8.self) }
    }
  }

  @Test(arguments: [
    ("abc", "xabcx"), ("^a.c$", "abc"), ("^a.c$", "abcd"), ("a*", "aaab"), ("a*?b", "aaab"), ("(a|ab)(c|bcd)", "abcd"),
    ("(a+)(a*)", "aaaa"), ("(a+?)(a*)", "aaaa"), ("([a-c]+)-([^-]*)", "abc-xyz-"), ("x{2,3}", "xxxxx"),
    ("x{2,}y", "xxxy"),
    ("x{2}?", "xxx"), ("(?:ab)+", "ababx"), ("(a)|(b)", "b"), ("", "abc"), ("(a*)*", "aab"), ("(a*)+", "b"),
    ("\\d+\\.\\w+", "x 12.ab_9"), ("[\\d.]+", "1.2.3"), ("\\bfoo\\b", "a foo b"), ("\\Bo", "foo"), ("a\\.b", "a.b"),
    ("^(.*)\\.svc\\.(.*)\\.$", "a.b.svc.cluster.local."), ("(?i)AbC", "xaBcx"), ("[[:alpha:]]+", "12ab3"),
    ("a|b|", "c"),
    ("(a|b)*c|(a|ab)*c", "abc"), ("(?s)a.b", "a\nb"), ("[]a]+", "a]"), ("[a\\]]+", "a]"), ("[-a]+", "-a"),
    ("a{,2}", "a{,2}"),
    ("\\x41\\x{42}", "AB"), ("(?P<one>a)(?P<two>b)?", "ac"), ("\\Qa.b\\E+", "a.bb"), ("a??", "a"), ("(a??)(a*)", "aa"),
  ])
  func agreesWithLibrary(_ pattern: String, _ text: String) throws {
    // The library has no POSIX classes in brackets alone, no \Q and other names for \x{}: those stand for themselves.
    let translated = pattern.replacing("[[:alpha:]]", with: "[a-zA-Z]").replacing("\\Qa.b\\E+", with: "a\\.b+")
      .replacing("[]a]", with: "[\\]a]").replacing("a{,2}", with: "a\\{,2\\}").replacing("[[", with: "[[")
    let regex = try Regex(translated).asciiOnlyWordCharacters().asciiOnlyDigits().matchingSemantics(.unicodeScalar)
    let expected = text.firstMatch(of: regex).map { match in
      (0..<match.output.count).map { match.output[$0].substring.map(String.init) }
    }
    #expect(try groups(pattern, text) == expected)
  }

  @Test func randomPatternsAgreeWithLibrary() throws {
    var random = Sequence(seed: 42)
    for _ in 0..<1000 {
      let pattern = random.pattern(depth: 3)
      let text = String((0..<random.below(9)).map { _ in "ab.".randomElement(using: &random)! })
      let regex = try Regex(pattern).matchingSemantics(.unicodeScalar)
      let expected = text.firstMatch(of: regex).map { String($0.output[0].substring ?? "") }
      #expect(try groups(pattern, text)?[0] == expected, "\(pattern) on \(text)")
    }
  }

  /// A generator of its own: the same patterns each time.
  private struct Sequence: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 11 ^ state << 31
    }

    mutating func below(_ count: UInt64) -> Int { Int(next() >> 7 % count) }

    mutating func pattern(depth: Int) -> String {
      let kind = depth == 0 ? below(4) : below(9)
      switch kind {
      case 0: return "a"
      case 1: return "b"
      case 2: return "."
      case 3: return "[^a]"
      case 4: return pattern(depth: depth - 1) + pattern(depth: depth - 1)
      case 5: return "(" + pattern(depth: depth - 1) + "|" + pattern(depth: depth - 1) + ")"
      case 6: return "(?:" + pattern(depth: depth - 1) + "){1,2}"
      case 7: return "(" + pattern(depth: depth - 1) + "b)*"
      default: return "(" + pattern(depth: depth - 1) + "b)?"
      }
    }
  }

  @Test(arguments: [
    ("(", "missing closing )"), ("a)", "unexpected )"), ("[a", "missing closing ]"), ("*a", "missing argument"),
    ("a**", "invalid nested repetition"), ("a\\1", "invalid escape sequence: \\1"), ("(?=a)", "(?="), ("(?!a)", "(?!"),
    ("(?<=a)b", "(?<"), ("\\pL", "invalid escape sequence: \\p"), ("[b-a]", "invalid character class range"),
    ("a{1001}", "invalid repeat count"), ("((a{100}){100}){100}", "expression too large"), ("\\", "trailing backslash"),
    ("[[:nope:]]", "invalid character class range"), ("(?P<a>x)(?P<a>y)", "invalid named capture"),
    (String(repeating: "(", count: 200), "nests too deeply"),
  ])
  func refuses(_ pattern: String, _ reason: String) {
    let error = #expect(throws: PatternError.self) { try Pattern(pattern) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "accepted")")
  }

  @Test func namesGroups() throws {
    let pattern = try Pattern("(a)(?P<name>b)(?<other>c)")
    #expect(pattern.groupNames == [nil, nil, "name", "other"])
  }

  /// Patterns on which a matcher that backtracks takes longer than anybody lives.
  @Test(arguments: ["^(a+)+$", "(a|a)*b", "(a*)*(a*)*(a*)*b", "(?:a?){100}a{100}b", "(x+x+)+y|(a|aa)+$."])
  func isLinear(_ pattern: String) throws {
    let text = [UInt8](repeating: UInt8(ascii: "a"), count: 254) + [UInt8(ascii: "!")]
    #expect(try Pattern(pattern).firstMatch(in: text) == nil)
  }

  @Test func anyBytesAreRefusedOrRead() {
    var random = Sequence(seed: 7)
    let alphabet = Array("ab()[]{}*+?|\\^$.,-:?P<>=!1290dswbBAzQEx\u{e9}i")
    for _ in 0..<20_000 {
      let text = String((0..<random.below(24)).map { _ in alphabet[random.below(UInt64(alphabet.count))] })
      if let pattern = try? Pattern(text) { _ = pattern.firstMatch(in: Array("ab.a1-b\n".utf8)) }
    }
  }
}
