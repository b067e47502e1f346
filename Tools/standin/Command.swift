import ArgumentParser
import Glibc
import NIOCore

/// The program's flags.
@main
struct Standin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "standin",
    abstract: "A small authoritative DNS server that stands in for kube-dns.",
    discussion: manual)

  @Option(
    help:
      "Listen on this address, UDP and TCP; may be given several times. (default: 127.0.0.1, and ::1 if there is IPv6)")
  var address: [String] = []

  @Option(help: "The port of all addresses. 0 takes a free one and prints it.")
  var port = 5390

  @Option(help: "Serve /counts, /counts?NAME and /reset over HTTP on this port of 127.0.0.1. 0 takes a free one.")
  var control: Int?

  @Option(help: "Close a TCP connection after it has brought this many questions.")
  var closeAfter: Int?

  @Option(help: "Close a TCP connection that has been idle for this many seconds.")
  var idle: Int64 = 10

  @Flag(help: "Answer one question at a time per TCP connection, as CoreDNS does.")
  var serial = false

  @Flag(help: "Write every name in full, as CoreDNS does.")
  var uncompressed = false

  @Flag(
    help:
      "Answer below example.com and test, too: A only, derived from the name's hash; NXDOMAIN where the first label begins with nx-."
  )
  var any = false

  func validate() throws {
    guard 0...65_535 ~= port, 0...65_535 ~= control ?? 0 else {
      throw ValidationError("A port is a number from 0 to 65535.")
    }
    guard closeAfter ?? 1 > 0, 1...86_400 ~= idle else {
      throw ValidationError("--close-after takes 1 or more, --idle 1 to 86400.")
    }
  }

  func run() throws {
    let listeners = Listeners(
      .init(any: any, compress: !uncompressed, serial: serial, closeAfter: closeAfter, idleSeconds: idle))
    let first = try open(listeners, address.first ?? "127.0.0.1", port)
    let port = first.localAddress?.port ?? port
    for address in address.dropFirst() { _ = try open(listeners, address, port) }
    if address.isEmpty {
      do {
        _ = try open(listeners, "::1", port)
      } catch {
        say("not on ::1: \(error)")
      }
    }
    if let control { say("counts on http://127.0.0.1:\(try listeners.openControl(port: control))/counts") }
    say("ready")
    try first.closeFuture.wait()
  }

  private func open(_ listeners: Listeners, _ address: String, _ port: Int) throws -> any Channel {
    let channel = try listeners.open(address, port: port)
    let port = channel.localAddress?.port ?? port
    say("listening on \(address.contains(":") ? "[\(address)]" : address):\(port), UDP and TCP")
    return channel
  }

  /// One line on standard output, at once: a script may be waiting for it.
  private func say(_ text: String) {
    print("standin: \(text)")
    fflush(nil)
  }
}
