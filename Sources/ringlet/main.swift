import Control
import Corefile
import Engine
import Glibc
import Memory
import Uring

let arguments = CommandLine.arguments
func value(_ name: String) -> String? { arguments.firstIndex(of: name).map { arguments[$0 + 1] } }
let file = value("-conf")!
let shards = Int(value("--shards") ?? "1")!
let configuration = try parse(Environment.process.contents(file)!, file: file, defaultPort: UInt16(value("-dns.port") ?? "53")!)
let settings = try Settings(configuration, shards: shards, cacheBytes: 64 << 20)
let fabric = Fabric(settings: settings, shards: shards, random: (.random(in: 0...(.max)), .random(in: 0...(.max)), .random(in: 0...(.max))))
let region = Region(size: 4096)
let directory = RingDirectory(region.bytes, events: 1)
for index in 0..<shards {
  let listeners = try Listeners(settings)
  try startShard(index: index, fabric: fabric, listeners: listeners, directory: directory)
}
while true { sleep(1000) }
