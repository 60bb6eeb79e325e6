#!/bin/bash
# Fetches Keycloak's distribution, checks it, builds it for a database in files, and fills one with the realm of the tests.
set -euo pipefail
here=$1 work=$2
version=26.7.3
sha256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f

cd "$work"
mvn --batch-mode --quiet "-Dmaven.repo.local=$work/repository" \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" "-DoutputDirectory=$work/zip"
echo "$sha256  zip/keycloak-quarkus-dist-$version.zip" | sha256sum --check --quiet
python3 -m zipfile -e "zip/keycloak-quarkus-dist-$version.zip" unpacked
mv "unpacked/keycloak-$version" out/keycloak
cd out/keycloak
export JAVA_OPTS_KC_HEAP="-Xms64m -Xmx512m"
bash bin/kc.sh build --db=dev-file --health-enabled=false --metrics-enabled=false \
  --features-disabled=admin,account,ciba,par,device-flow,kerberos,impersonation,organization,web-authn,passkeys,workflows
bash bin/kc.sh import --optimized --file "$here/realm.json"
mkdir ../seed
mv data/h2/keycloakdb.mv.db ../seed/
rm -rf data bin/client
