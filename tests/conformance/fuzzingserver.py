"""`fuzzingserver.py SPEC`: Autobahn|Testsuite's fuzzingserver as `wstest -m fuzzingserver -s SPEC` starts it, only that it listens on this machine alone, where
that takes every address, and on a free port, which is the first line it says, with the cases. It ends with its standard input.

For CPython 2.7.
"""

import json
import sys

from autobahntestsuite import choosereactor  # noqa: F401 (before anything else imports Twisted)
from autobahntestsuite.fuzzing import FuzzingServerFactory
from twisted.internet import protocol, reactor, stdio


class Ends(protocol.Protocol):
    def connectionLost(self, reason):
        reactor.stop()


with open(sys.argv[1]) as file:
    spec = json.load(file)
said, sys.stdout = sys.stdout, sys.stderr
factory = FuzzingServerFactory(spec)
# A client names the port it knows in `Host`, and that is the port of who stands in between.
factory.externalPort = None
port = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port
said.write(json.dumps({"port": port, "cases": factory.specCases}) + "\n")
said.flush()
stdio.StandardIO(Ends())
reactor.run()
