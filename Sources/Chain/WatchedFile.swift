import Corefile

/// A file that a directive reads: at start, and again when it changed. Reading is the control side's.
public struct WatchedFile: Sendable {
  public enum Kind: Sendable, Equatable { case hosts, weights }

  public let path: String
  /// How often it is looked at; zero for never again.
  public let interval: TimeSpan
  /// Which directive reads it, and where it stands in the Corefile.
  public let kind: Kind
  public let location: SourceLocation
  /// Takes the file's contents, and says how many names they have.
  public let load: @Sendable ([UInt8]) -> Int

  public init(
    path: String, interval: TimeSpan, kind: Kind, location: SourceLocation, load: @escaping @Sendable ([UInt8]) -> Int
  ) {
    self.path = path
    self.interval = interval
    self.kind = kind
    self.location = location
    self.load = load
  }
}
