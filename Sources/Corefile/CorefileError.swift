/// Why a Corefile cannot be served, and the line to change.
public struct CorefileError: Error, Hashable, Sendable, CustomStringConvertible {
  public var location: SourceLocation
  /// The directive whose line is at fault; nil where the fault lies in the grammar or in a block's keys.
  public var directive: String?
  /// The whole reason, in CoreDNS's words where people search for those.
  public var message: String

  public init(_ message: String, at location: SourceLocation, directive: String? = nil) {
    self.location = location
    self.directive = directive
    self.message = message
  }

  /// `<file>:<line> - <message>`
  public var description: String { "\(location) - \(message)" }
}

extension CorefileError {
  /// A fault of the grammar: braces, quotes, imports, names of directives.
  static func grammar(_ message: String, at location: SourceLocation, directive: String? = nil) -> CorefileError {
    CorefileError("Error during parsing: \(message)", at: location, directive: directive)
  }
}
