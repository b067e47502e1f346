/// Bounds on what one parse may cost, far above any Corefile a node runs, so that hostile text ends in an error.
enum Limits {
  /// Bytes of all files read, counting a file again each time it is imported.
  static let sourceBytes = 8 << 20
  /// Bytes that environment variables may add.
  static let expandedBytes = 1 << 20
  /// Words and braces after imports.
  static let tokens = 1 << 17
  /// CoreDNS's own bound on imports of one Corefile.
  static let imports = 1000
  static let importDepth = 32
  /// Zones of all keys and arguments, each zone of a network counted.
  static let zones = 1 << 16
  /// Keys times listen addresses, of all blocks: what is compared to find doubles.
  static let listeners = 1 << 16
  /// Listen addresses of one block.
  static let bindAddresses = 64
}
