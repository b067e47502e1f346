/// Codes of extended DNS errors (RFC 8914 §4).
public enum ExtendedError: UInt16, Sendable, BitwiseCopyable {
  case other = 0
  case staleAnswer = 3
  case cachedError = 13
  case filtered = 17
  case prohibited = 18
  case staleNXDomain = 19
  case noReachableAuthority = 22
  case networkError = 23
  case invalidData = 24

  /// Octets of an option with a code and no text.
  public static let size = 6
  /// The EDNS option code (RFC 8914 §2).
  public static let option: UInt16 = 15
}
