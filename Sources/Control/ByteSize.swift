import ArgumentParser

/// A size in bytes as written on a command line: `67108864`, `64MiB`, `64Mi`, `64M`, and so for K and G. All units are
/// powers of 1024, as the kernel's own tools count memory.
struct ByteSize: ExpressibleByArgument {
  /// Above zero.
  let bytes: Int

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    let shift: Int
    switch argument.dropFirst(digits.count) {
    case "", "B": shift = 0
    case "K", "Ki", "KiB": shift = 10
    case "M", "Mi", "MiB": shift = 20
    case "G", "Gi", "GiB": shift = 30
    default: return nil
    }
    guard let count = Int(digits), count > 0 else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
    if overflow { return nil }
    self.bytes = bytes
  }
}
