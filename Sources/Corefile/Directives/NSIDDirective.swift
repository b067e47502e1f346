/// `nsid [DATA]`: what clients that ask for it are told of the server (RFC 5001).
public struct NSIDDirective: Hashable, Sendable {
  public var location: SourceLocation
  /// nil: the machine's host name. At most 128 bytes.
  public var data: String?
}

extension NSIDDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try statement.requireNoBody()
    if line.arguments.isEmpty { return }
    let text = line.arguments.map(\.text).joined(separator: " ")
    if text.utf8.count > 128 { throw line.failure("data over 128 bytes: \"\(text)\"") }
    data = text
  }
}
