"""Talks to `s3file serve`. Needs nothing but Python; `enqueue` works with any DB-API connection to Postgres, Django's too."""
import http.client
import json
import socket
from urllib.parse import quote, urlencode, urlsplit


class Problem(Exception):
    """What the service refused: `code` is for programs, `detail` for the person in front of the form."""

    def __init__(self, status, members):
        super().__init__(members.get("detail", f"status {status}"))
        self.status = status
        self.code = members.get("code", "")
        self.detail = members.get("detail", "")
        self.errors = members.get("errors", [])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class S3File:
    """
    :param url: `http://127.0.0.1:8080`, or `unix:/run/s3file/s3file.sock`
    :param key: one of the service's S3FILE_API_KEYS
    :param timeout: seconds; longer than the service takes at most
    """

    def __init__(self, url, key, timeout=40):
        self._url, self._key, self._timeout = url, key, timeout

    def input(self, field, subject, form=None, **attributes):
        """An input for `subject`, the user or session: `html` is ready for the page.

        With `form`, a posted one that the app refused for another reason, the files that it brought need not be uploaded again.
        """
        request = {"field": field, "subject": subject, "attributes": attributes}
        if form is not None:
            request["form"] = form
        return self._call("POST", "/v1/inputs", request)

    def verify(self, form, fields, subject):
        """The verified files of a posted form, each for `enqueue`. Nothing is written. Raises `Problem` for a form that cannot be taken."""
        request = {"form": form, "fields": fields, "subject": subject, "mode": "verify"}
        return self._call("POST", "/v1/forms", request)["files"]

    def take(self, form, fields, subject, hold=None, **options):
        """For apps without a database of their own: the uploads of a posted form, enqueued at once, or held for so many seconds."""
        mode = {"mode": "enqueue"} if hold is None else {"mode": "hold", "holdSeconds": hold}
        return self._call("POST", "/v1/forms", {"form": form, "fields": fields, "subject": subject, **mode, **options})["uploads"]

    def release(self, ids):
        """Lets workers take what was held."""
        return self._change("release", ids)

    def cancel_held(self, ids):
        """Gives up what was held, so that the form can be posted again."""
        return self._change("cancel-held", ids)

    def cancel(self, ids):
        return self._change("cancel", ids)

    def retry(self, ids):
        return self._change("retry", ids)

    def uploads(self, ids):
        """How uploads stand, by their ids; those that there are not are left out. `statusPath` is for `<s3file-status src>`."""
        answer = self._call("GET", "/v1/uploads?" + urlencode([("id", str(id)) for id in ids]))
        return {upload["id"]: upload for upload in answer["uploads"]}

    def recent(self, owner, limit=50):
        """The newest uploads of an owner."""
        return self._call("GET", "/v1/uploads?" + urlencode({"owner": owner, "limit": limit}))["uploads"]

    def open(self, method, path, body=None, headers={}):
        """A request as it is, such as one that a browser sent to /s3file/…; close the answer after reading it."""
        if self._url.startswith("unix:"):
            connection = _UnixConnection(self._url.removeprefix("unix:"), self._timeout)
        else:
            connection = http.client.HTTPConnection(urlsplit(self._url).netloc, timeout=self._timeout)
        connection.request(method, quote(path, safe="/?&=%.~_-:+,"), body, {"Connection": "close", **headers})
        return connection.getresponse()

    def _change(self, what, ids):
        return self._call("POST", f"/v1/uploads/{what}", {"ids": [str(id) for id in ids]})["uploads"]

    def _call(self, method, path, request=None):
        headers = {"Authorization": f"Bearer {self._key}"}
        body = None
        if request is not None:
            body = json.dumps(request).encode()
            headers["Content-Type"] = "application/json"
        with self.open(method, path, body, headers) as answer:
            members = json.loads(answer.read() or b"{}")
            if answer.status >= 400:
                raise Problem(answer.status, members)
            return members


def pairs(post, fields):
    """What a form says of these file fields, as names and values, from Django's `request.POST`. Nothing else leaves the app."""
    names = {"s3file"} | {name + suffix for name in fields for suffix in ("", "-s3f-signature", "-s3f-name", "-s3f-kept")}
    return [[name, value] for name, values in post.lists() if name in names for value in values]


ENQUEUE = """
    select id, final_key from s3file.enqueue(
        bucket => %(bucket)s, tmp_bucket => %(tmp_bucket)s, tmp_key => %(tmp_key)s, etag => %(etag)s, version_id => %(version_id)s,
        size => %(size)s, key => %(key)s, content_type => %(content_type)s, filename => %(filename)s, field => %(field)s,
        owner => %(owner)s, upload_id => %(upload_id)s)
"""


def enqueue(connection, file):
    """Enqueues a verified file in the transaction that is open on `connection`: it is moved if and only if that commits.

    :returns: the upload's id, and the key that it will have
    """
    with connection.cursor() as cursor:
        cursor.execute(ENQUEUE, file["arguments"])
        id, key = cursor.fetchone()
        if "storage" in file:
            cursor.execute("select s3file.store_as(array[%s]::uuid[], %s)", [id, json.dumps(file["storage"])])
    return id, key
