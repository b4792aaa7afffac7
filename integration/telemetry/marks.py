"""What the programs beside this put into telemetry: values that must not arrive, words that must, each told by its place.

A program reads its plan from standard input, as JSON:
    url, ca, certificate, key    where the proxy of the collector listens, and by what it is spoken to
    run                          a word that stands in the header `x-run` of each request
    sender                       the tenant of the workload; nothing where several share it
    tenants                      whose records are written
    names                        of each tenant its id, its fingerprint and a host
    compression                  none, gzip or deflate
and prints what it wrote, as JSON:
    secrets    personal data, secrets and names of other tenants: none may arrive, wherever it stood
    gone       a word in each record that names another tenant: none may arrive
    kept       words and ids that must arrive
    spans      trace, span, parent and links of each span that must arrive so
    pointers   trace and span that logs and exemplars point to
    results    what each export came to, as its client tells it
"""
import json
import random
import string
import sys
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Plan:
    def __init__(self, told):
        self.__dict__.update(told)
        self.headers = {"x-run": self.run}
        self.authority = self.url.split("//", 1)[1]
        self.shared = self.sender is None

    def pem(self, name):
        with open(getattr(self, name), "rb") as file:
            return file.read()


class Marks:
    """One program's marks. Which kind stands where follows from the run alone."""

    def __init__(self, plan):
        self.plan = plan
        self.random = random.Random(plan.run)
        self.serial = 0
        # Which kind is next, of secrets and of names; each sender begins with another one, so that all stand in all places.
        self.turns = [[None, "acme", "globex"].index(plan.sender)] * 2
        self.told = {"secrets": [], "gone": [], "kept": [], "spans": [], "pointers": [], "results": {}}

    def secret(self, place, kinds=("email", "iban", "card", "token")):
        """A value of one of these kinds, each in its turn."""
        kind = self._turn(0, kinds)
        value = getattr(self, "_" + kind)()
        self.told["secrets"].append({"place": place, "kind": kind, "value": value})
        return value

    def foreign(self, place, tenant, kinds=("id", "fingerprint", "host")):
        """A name of another tenant than this one, told by a word before it from the same name elsewhere."""
        other = self.plan.names[other_than(tenant)]
        kind = self._turn(1, kinds)
        mark = f"u{self._next()}x{self._letters(6).lower()}"
        value = {
            "id": f"{mark}&tenant={other['id']}",
            "fingerprint": f"{mark}-{other['fingerprint']}",
            "fingerprint in a word": f"{mark}_{other['fingerprint']}",
            "host": f"{mark}.{other['host']}",
        }[kind]
        self.told["secrets"].append({"place": place, "kind": "foreign " + kind, "value": value})
        return value

    def structural(self, place, tenant):
        """The other tenant's id, in a field that names a tenant; what tells it is the record's word."""
        return self.plan.names[other_than(tenant)]["id"]

    def own_host(self, place, tenant):
        """A host of the tenant's own, which may stand in its records."""
        return self._word("kept", place, f"h{self._next()}x{self._letters(6).lower()}.{self.plan.names[tenant]['host']}")

    def kept(self, place):
        return self._word("kept", place, f"kept-{self._next()}-{self._letters(8).lower()}")

    def gone(self, place):
        return self._word("gone", place, f"gone-{self._next()}-{self._letters(8).lower()}")

    def span(self, place, trace, span, parent=0, links=()):
        links = [[f"{t:032x}", f"{s:016x}"] for t, s in links]
        parent = f"{parent:016x}" if parent else ""
        self.told["spans"].append(
            {"place": place, "trace": f"{trace:032x}", "span": f"{span:016x}", "parent": parent, "links": links})

    def pointer(self, place, trace, span):
        self.told["pointers"].append({"place": place, "trace": f"{trace:032x}", "span": f"{span:016x}"})

    def result(self, what, came):
        self.told["results"][what] = came

    def tell(self):
        print(json.dumps(self.told))

    def _word(self, list, place, value):
        self.told[list].append({"place": place, "kind": "word", "value": value})
        return value

    def _next(self):
        self.serial += 1
        return self.serial

    def _turn(self, of, kinds):
        self.turns[of] += 1
        return kinds[self.turns[of] % len(kinds)]

    def _letters(self, count):
        return "".join(self.random.choice(string.ascii_letters) for _ in range(count))

    def _digits(self, count):
        return "".join(self.random.choice(string.digits) for _ in range(count))

    def _email(self):
        return f"{self._letters(5).lower()}.{self._letters(7).lower()}{self.serial}@example.net"

    def _iban(self):
        account = self._digits(18)
        # ISO 13616: the country's letters as numbers, `DE` is 1314.
        return f"DE{98 - int(account + '131400') % 97:02}{account}"

    def _card(self):
        digits = "4111" + self._digits(11)
        # ISO/IEC 7812-1, Luhn: from the right every second digit counts twice.
        twice = [int(d) * 2 for d in digits[::-2]]
        total = sum(d - 9 if d > 9 else d for d in twice) + sum(int(d) for d in digits[-2::-2])
        return digits + str(-total % 10)

    def _mac(self):
        return "-".join(["ac", *(f"{self.random.randrange(256):02x}" for _ in range(5))])

    def _token(self):
        """As GitHub makes them: 30 letters and digits, and their CRC-32."""
        entropy = "".join(self.random.choice(ALPHABET) for _ in range(30))
        rest, check = zlib.crc32(entropy.encode()), ""
        while rest:
            rest, digit = divmod(rest, 62)
            check = ALPHABET[digit] + check
        return "ghp_" + entropy + check.rjust(6, "0")


def other_than(tenant):
    return "globex" if tenant == "acme" else "acme"


def read():
    plan = Plan(json.load(sys.stdin))
    return plan, Marks(plan)
