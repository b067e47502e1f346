import Foundation

/// A folder that is removed with its test.
final class ScratchFolder {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("ringlet-tests-\(UUID())")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false) }

  deinit { try? FileManager.default.removeItem(at: url) }
}
