/// A line of a Corefile or of a file that it imports.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
  /// The name the file was given to the parser by, or the path an import found it at.
  public var file: String
  /// Counted from 1.
  public var line: Int

  public init(file: String, line: Int) {
    self.file = file
    self.line = line
  }

  public var description: String { "\(file):\(line)" }
}
