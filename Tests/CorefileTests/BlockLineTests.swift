import Corefile
import Testing

/// The lines of a block, and where braces stand: what tools show and change.
@Suite struct BlockLineTests {
  @Test func linesAreInTheOrderTheyRun() throws {
    let block = try readBlock(
      "(s) {\n errors\n}\n. {\n whoami\n forward b 10.0.0.1\n log . \"{type} #\"\n import s\n forward . {$UP} { # x\n  force_tcp\n  expire 5s }\n}",
      environment: Environment(variables: ["UP": "10.0.0.2"]))
    #expect(
      block.lines.map { "\($0.location.line) \($0.directive) \($0.text)" } == [
        "2 errors ", "7 log . \"{type} #\"", "6 forward b 10.0.0.1", "9 forward . 10.0.0.2 { force_tcp; expire 5s }",
        "5 whoami ",
      ])
  }

  @Test(
    arguments: [
      ("forward . X { force_tcp }", ["{ force_tcp }"]),
      (". {\n forward . X {\n\n force_tcp # why\n }\n}", ["{\n\n force_tcp # why\n }"]),
      (". {\r\n forward . X\r\n{\r\nforce_tcp\r\n}\r\n}", ["{\r\nforce_tcp\r\n}"]),
      (". { forward . X { force_tcp } forward . \"X\" { force_tcp }\n}", ["{ force_tcp }", "{ force_tcp }"]),
      ("é \"\u{1F600}\"\n forward . X { force_tcp }", ["{ force_tcp }"]),
      // Another option, another line, another place in it.
      ("forward . X", []), ("forward . X { }", []), ("forward . X { force_tcp expire 5s }", []),
      ("forward . Y { force_tcp }", []), ("forward . X Y { force_tcp }", []), ("log forward . X { force_tcp }", []),
      ("# forward . X { force_tcp }", []), ("\"forward . X { force_tcp }\"", []), ("forward . X { force_tcp", []),
      ("forward . X { force_tcp } \"", []), ("", []),
    ])
  func bodiesAreFoundByTheirWords(text: String, found: [String]) {
    let bodies = Corefile.bodies(in: text, of: ["forward", ".", "X"], holding: "force_tcp")
    #expect(bodies.map { text[$0].drop(while: \.isWhitespace) } == found.map { $0[...] })
  }
}
