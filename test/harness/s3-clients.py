"""What an application does that was written for AWS with boto3. Arguments: three endpoints, a bucket."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

*endpoints, bucket = sys.argv[1:]
clients = [
    boto3.client("s3", endpoint_url=each, config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    for each in endpoints
]
a, b, c = clients


def code(act, **arguments):
    try:
        act(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "none"


key = "boto/ä b+c%/~x'(1)*.txt"
put = a.put_object(Bucket=bucket, Key=key, Body=b"value", ContentType="text/plain", Metadata={"owner": "ada"})
got = b.get_object(Bucket=bucket, Key=key)
assert got["Body"].read() == b"value" and got["ETag"] == put["ETag"] and got["Metadata"] == {"owner": "ada"}, got
assert got["ContentType"] == "text/plain" and got["ContentLength"] == 5, got
assert c.head_object(Bucket=bucket, Key=key)["ContentLength"] == 5
assert c.get_object(Bucket=bucket, Key=key, Range="bytes=1-2")["Body"].read() == b"al"
assert code(a.get_object, Bucket=bucket, Key=key, IfMatch='"x"') == "PreconditionFailed"
assert code(a.get_object, Bucket=bucket, Key="none") == "NoSuchKey"
assert code(a.head_object, Bucket=bucket, Key="none") == "404"
assert code(a.put_object, Bucket=bucket, Key="acl", Body=b"", ACL="public-read") == "NotImplemented"

b.copy_object(Bucket=bucket, Key="boto/copy", CopySource={"Bucket": bucket, "Key": key})
assert c.get_object(Bucket=bucket, Key="boto/copy")["Metadata"] == {"owner": "ada"}

for number in range(30):
    clients[number % 3].put_object(Bucket=bucket, Key=f"boto/list/{number:02} é", Body=b"x" * number)
pages = c.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="boto/list/", PaginationConfig={"PageSize": 7})
listed = [(each["Key"], each["Size"]) for page in pages for each in page["Contents"]]
assert listed == [(f"boto/list/{number:02} é", number) for number in range(30)], listed
pages = a.get_paginator("list_objects").paginate(Bucket=bucket, Prefix="boto/", Delimiter="/", PaginationConfig={"PageSize": 1})
folders = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
assert folders == ["boto/list/", "boto/ä b+c%/"], folders

import http.client
import urllib.parse
import urllib.request

url = a.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key, "ResponseContentType": "x/y"})
with urllib.request.urlopen(url) as answer:
    assert answer.read() == b"value" and answer.headers["content-type"] == "x/y"
url = b.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "boto/presigned"})
with urllib.request.urlopen(urllib.request.Request(url, data=b"by address", method="PUT")) as answer:
    assert answer.status == 200
assert c.get_object(Bucket=bucket, Key="boto/presigned")["Body"].read() == b"by address"

# Without a setting boto3 presigns with version 2.
plain = [boto3.client("s3", endpoint_url=each, config=Config(s3={"addressing_style": "path"})) for each in endpoints]


def fetch(method, client, operation, body=None, headers={}, **params):
    url = client.generate_presigned_url(operation, Params={"Bucket": bucket, **params})
    assert "AWSAccessKeyId=" in url, url
    # urllib would add a type, which is signed.
    target = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(target.netloc)
    connection.request(method, f"{target.path}?{target.query}", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


odd = "boto/v2/ä b+c%41/~x'(1)*!&=?#;:@$,.txt"
put = {"Key": odd, "ContentType": "text/x", "Metadata": {"owner": "ada"}, "ContentMD5": "P2/BBAwT9HIhyC57oqDnbg=="}
assert fetch("PUT", plain[0], "put_object", b"other", **put)[0] == 400
status, text, _ = fetch("PUT", plain[0], "put_object", b"by version 2", **put)
assert status == 200, text
head = plain[1].head_object(Bucket=bucket, Key=odd)
assert head["ContentType"] == "text/x" and head["Metadata"] == {"owner": "ada"}, head
name = 'attachment; filename="ä &+.txt"'
status, text, headers = fetch("GET", plain[2], "get_object", Key=odd, ResponseContentDisposition=name)
assert status == 200 and text == b"by version 2", text
assert headers["content-disposition"] == name.encode().decode("latin1"), headers
assert fetch("GET", plain[1], "get_object", headers={"Range": "bytes=3-9"}, Key=odd)[1] == b"version"
assert fetch("HEAD", plain[1], "head_object", Key=odd)[0] == 200
part = {"Key": "boto/v2/parts", "UploadId": a.create_multipart_upload(Bucket=bucket, Key="boto/v2/parts")["UploadId"]}
status, text, headers = fetch("PUT", plain[1], "upload_part", b"a part", PartNumber=1, **part)
assert status == 200, text
parts = [{"PartNumber": 1, "ETag": headers["etag"]}]
c.complete_multipart_upload(Bucket=bucket, MultipartUpload={"Parts": parts}, **part)
assert fetch("GET", plain[0], "get_object", Key="boto/v2/parts")[1] == b"a part"
assert fetch("GET", plain[0], "list_objects_v2", Prefix="boto/")[0] == 403
assert fetch("DELETE", plain[1], "delete_object", Key=odd)[0] == 204
assert code(c.get_object, Bucket=bucket, Key=odd) == "NoSuchKey"

removed = b.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": each} for each, _ in listed]})
assert len(removed["Deleted"]) == 30 and "Errors" not in removed, removed
large = b"0123456789abcdef" * 400_000
a.put_object(Bucket=bucket, Key="boto/large", Body=large)
assert c.get_object(Bucket=bucket, Key="boto/large")["Body"].read() == large

import io
from boto3.s3.transfer import TransferConfig

mebibyte = 1024 * 1024
small_parts = TransferConfig(multipart_threshold=5 * mebibyte, multipart_chunksize=5 * mebibyte, max_concurrency=8)
whole = b"fedcba9876543210" * (2 * mebibyte)
a.upload_fileobj(io.BytesIO(whole), bucket, "boto/multi", Config=small_parts, ExtraArgs={"Metadata": {"owner": "ada"}})
head = b.head_object(Bucket=bucket, Key="boto/multi")
assert head["ContentLength"] == len(whole) and head["Metadata"] == {"owner": "ada"}, head
out = io.BytesIO()
c.download_fileobj(bucket, "boto/multi", out, Config=small_parts)
assert out.getvalue() == whole
b.copy({"Bucket": bucket, "Key": "boto/multi"}, bucket, "boto/multi copy", Config=small_parts)
assert a.get_object(Bucket=bucket, Key="boto/multi copy")["Body"].read() == whole

multi = {"Bucket": bucket, "Key": "boto/by hand"}
upload = {**multi, "UploadId": a.create_multipart_upload(**multi)["UploadId"]}
parts = []
for number, body in ((1, whole[: 5 * mebibyte]), (2, b"the end")):
    etag = clients[number].upload_part(**upload, PartNumber=number, Body=body)["ETag"]
    parts.append({"PartNumber": number, "ETag": etag})
assert [each["ETag"] for each in c.list_parts(**upload)["Parts"]] == [each["ETag"] for each in parts]
assert code(b.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[::-1]}) == "InvalidPartOrder"
assert code(b.complete_multipart_upload, **upload, MultipartUpload={"Parts": []}) == "MalformedXML"
b.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
assert c.get_object(**multi)["Body"].read() == whole[: 5 * mebibyte] + b"the end"
assert code(a.abort_multipart_upload, **upload) == "NoSuchUpload"
abandoned = a.create_multipart_upload(Bucket=bucket, Key="boto/abandoned")["UploadId"]
listed = [each["UploadId"] for each in b.list_multipart_uploads(Bucket=bucket, Prefix="boto/")["Uploads"]]
assert listed == [abandoned], listed
c.abort_multipart_upload(Bucket=bucket, Key="boto/abandoned", UploadId=abandoned)
print("done")
