import Glibc

/// A system call that failed: `bind [::]:9253: Address already in use`.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
  public let call: String
  /// What it was called on: a path, an address.
  public let subject: String
  public let errno: Int32

  public init(_ call: String, _ subject: String, errno: Int32) {
    self.call = call
    self.subject = subject
    self.errno = errno
  }

  public var description: String {
    // Sound: strerror gives a C string, which is copied at once; glibc's is per thread or constant.
    "\(call) \(subject): \(unsafe String(cString: strerror(errno)))"
  }
}
