/// `bufsize [SIZE]`: the most a query may advertise upstream.
public struct BufsizeDirective: Hashable, Sendable {
  public var location: SourceLocation
  /// Bytes, 512...4096.
  public var size: UInt16 = 1232
}

extension BufsizeDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(0...1, usage: "bufsize [SIZE]")
    try statement.requireNoBody()
    if let token = line.arguments.first { size = UInt16(try line.number(token, in: 512...4096, "bufsize")) }
  }
}
